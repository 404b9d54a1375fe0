"""Rows for other shards: numbered, written in the transaction that makes the fact, and given out when that is durable.

::

    say ─► fresh ─► settle: a row with the next number ─► committed ─► pending, for who carries rows
    acknowledged: applied over there ─► deleted, some together, or with the next row that is written

What the other one has applied lies between what was deleted and what was made. If it does not, one of the two stores was restored from an
older copy: the line starts over, in the next epoch.

In memory is the beginning of what waits, up to a bound; the rest is read when that was applied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.edges import EdgeRow, before_epoch, epoch_of
from ..store.interface.store import Picture, Store
from .bodies import EdgeKind, EndedSpan, pack_ended

ROW_TASKS: Final = 1_000  # ends in one row: what one transaction applies
ROW_BYTES: Final = 1024 * 1024  # of results in one row; a larger one is alone in it
MEMORY_BYTES: Final = 4 * 1024 * 1024  # of rows for one shard that wait in memory
READ_ROWS: Final = 8  # at a time, when there is room for more
DELETED_TOGETHER: Final = 100  # rows that were applied: to delete each by itself would be a commit for each
DELETED_BYTES: Final = 256 * 1024


class OutgoingLine:
    """For one shard. ``deleted``: the last number that is not there any more; ``read``: the last one that is in memory."""

    def __init__(self, made: int, deleted: int) -> None:
        self.made, self.deleted, self.read = made, deleted, deleted
        self.acknowledged = deleted
        self.rows: deque[EdgeRow] = deque()
        self.bytes = self.done_bytes = 0  # of rows in memory; of those that were acknowledged
        self.fresh: list[EdgeRow] = []
        self._queues, self._spans = b"", list[EndedSpan]()  # that go into one row together
        self._tasks = self._bytes = 0

    def say(self, kind: EdgeKind, body: bytes) -> None:
        self.gather()
        self.made += 1
        self.fresh.append(EdgeRow(self.made, int(kind), body))

    def say_ended(self, queues: bytes, span: EndedSpan) -> None:
        for part in _parts(span):
            tasks, size = part.run.length, part.bytes
            if queues != self._queues or self._tasks + tasks > ROW_TASKS or self._bytes + size > ROW_BYTES:
                self.gather()
                self._queues = queues
            self._spans.append(part)
            self._tasks, self._bytes = self._tasks + tasks, self._bytes + size

    def gather(self) -> None:
        """What is to go into one row together does."""
        if self._spans:
            spans, self._spans, self._tasks, self._bytes = self._spans, [], 0, 0
            self.say(EdgeKind.ENDED, pack_ended(self._queues, spans))

    def forget_fresh(self) -> None:
        self.fresh.clear()
        self._spans.clear()
        self._tasks = self._bytes = 0

    def keep(self, rows: Iterable[EdgeRow]) -> None:
        """In memory, if they follow what is there and there is room."""
        for row in rows:
            if self.bytes >= MEMORY_BYTES or row.number != self.read + 1:
                return
            self.rows.append(row)
            self.bytes += len(row.body)
            self.read = row.number

    def note_done(self, number: int) -> None:
        self.acknowledged = number
        self.done_bytes = sum(len(row.body) for row in self.rows if row.number <= number)

    def drop_done(self) -> None:
        """What was acknowledged is deleted."""
        self.deleted, self.done_bytes = self.acknowledged, 0
        while self.rows and self.rows[0].number <= self.deleted:
            self.bytes -= len(self.rows.popleft().body)
        self.read = max(self.read, self.deleted)

    @property
    def is_open(self) -> bool:
        """Whether something is not acknowledged."""
        return self.acknowledged < self.made

    @property
    def has_done(self) -> bool:
        """Whether so much was acknowledged that to delete it is worth a commit."""
        return self.acknowledged - self.deleted >= DELETED_TOGETHER or self.done_bytes >= DELETED_BYTES

    @property
    def wants_rows(self) -> bool:
        return self.read < self.made and self.bytes < MEMORY_BYTES // 2

    def expected(self, number: int) -> int | None:
        """What it means that the other shard has applied up to there: None, it is as it should be, and noted; or the epoch in which the
        line starts over, because one of the two stores was restored from an older copy."""
        if self.deleted <= number <= self.made:
            self.note_done(number)
            return None
        epoch = epoch_of(self.made)
        if number < self.deleted and epoch and self.deleted == before_epoch(epoch):
            return None  # it has applied nothing of the epoch yet, of which every row is there
        return max(epoch, epoch_of(number)) + 1


class EdgeLines(Part):
    """``listener``: gets the shards for which rows were made, or of which rows were applied, when that is durable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lines: dict[int, OutgoingLine] = {}
        self._said: set[int] = set()  # in this transaction, by shard
        self._due: set[int] = set()  # whose lines have something to delete, or to read
        self._touched: set[int] = set()
        self.resets: dict[int, int] = {}  # the epoch in which a line is to start over, by shard
        self.listener: Callable[[set[int]], None] = lambda shards: None
        self.before_write: list[
            Callable[[], None]
        ] = []  # what others have to say at the end of a transaction
        self.after_load: list[Callable[[], None]] = []  # when all parts are loaded that come before this one

    # what this shard has to say

    def say(self, to_shard: int, kind: EdgeKind, body: bytes) -> None:
        self._line(to_shard).say(kind, body)
        self._said.add(to_shard)

    def say_ended(self, to_shard: int, queues: bytes, span: EndedSpan) -> None:
        self._line(to_shard).say_ended(queues, span)
        self._said.add(to_shard)

    def reset(self, to_shard: int, epoch: int) -> None:
        line = self._lines[to_shard] = OutgoingLine(before_epoch(epoch), before_epoch(epoch))
        self._store.edges.forget_outgoing(to_shard, line.made)

    def epoch(self, to_shard: int) -> int:
        return epoch_of(self._line(to_shard).made)

    def touch(self, shard: int) -> None:
        """Rows of it were applied in this transaction."""
        self._touched.add(shard)

    def _line(self, to_shard: int) -> OutgoingLine:
        return self._lines.setdefault(to_shard, OutgoingLine(0, 0))

    # for who carries rows

    def pending(self, to_shard: int, after: int, most: int) -> Sequence[EdgeRow]:
        line = self._lines.get(to_shard)
        if line is None or not line.rows:
            return ()
        first = max(0, after - line.rows[0].number + 1)
        return tuple(islice(line.rows, first, first + most))

    def acknowledged(self, by_shard: int, number: int) -> None:
        line = self._lines.get(by_shard)
        if line is None:
            if number:
                self.resets[by_shard] = epoch_of(number) + 1
            return
        epoch = line.expected(number)
        if epoch is not None:
            self.resets[by_shard] = epoch
        self._look_at(by_shard, line)

    def open_shards(self) -> set[int]:
        return {shard for shard, line in self._lines.items() if line.is_open} | self.resets.keys()

    # one transaction

    def load(self, picture: Picture, now: Now) -> None:
        first, before = self._store.edges.first_outgoing(), self._lines
        self._lines = {}
        self._said.clear()
        self._due.clear()
        self.resets.clear()
        for shard, made in self._store.edges.made().items():
            line = self._lines[shard] = OutgoingLine(made, first.get(shard, made + 1) - 1)
            if shard in before:  # what it has said stays true
                line.expected(before[shard].acknowledged)
            self._look_at(shard, line)
        self._read_more()
        for hook in self.after_load:
            hook()

    def give_out(self, now: Now) -> None:
        self._read_more()

    def has_more(self) -> bool:
        return bool(self._due)

    def settle(self, now: Now) -> None:
        for say in self.before_write:
            say()
        for shard in self._said | self._due:
            line = self._lines[shard]
            line.gather()
            if line.acknowledged > line.deleted and (line.fresh or line.has_done):
                self._store.edges.forget_outgoing(shard, line.acknowledged)
                line.drop_done()
            if line.fresh:
                self._store.edges.add_outgoing(shard, line.fresh)
                self._store.edges.set_made(shard, line.made)
            self._look_at(shard, line)

    def committed(self) -> None:
        for shard in self._said:
            line = self._lines[shard]
            line.keep(line.fresh)
            line.fresh = []
            self._look_at(shard, line)
        self._touched |= self._said
        self._said.clear()
        if self._touched:
            touched, self._touched = self._touched, set()
            self.listener(touched)

    def void(self) -> Iterable[Session]:
        for shard in self._said:
            self._lines[shard].forget_fresh()
        self._said.clear()
        self._touched.clear()
        return ()

    def _read_more(self) -> None:
        for shard in list(self._due):
            line = self._lines[shard]
            while line.wants_rows and not line.fresh:
                rows = self._store.edges.outgoing(shard, line.read, READ_ROWS)
                line.keep(rows)
                self._touched.add(shard)  # who carries them has not seen these
                if len(rows) < READ_ROWS:
                    break
            self._look_at(shard, line)

    def _look_at(self, shard: int, line: OutgoingLine) -> None:
        if line.has_done or (line.wants_rows and not line.fresh):
            self._due.add(shard)
        else:
            self._due.discard(shard)


def _parts(span: EndedSpan) -> Iterable[EndedSpan]:
    """Each fits a row."""
    run, bodies = span.run, span.bodies
    if isinstance(bodies, int):
        for start in range(0, run.length, ROW_TASKS):
            yield span._replace(first=run.id(start), bodies=min(ROW_TASKS, run.length - start))
        return
    start = size = 0
    for at, body in enumerate(bodies):
        if at > start and (at - start >= ROW_TASKS or size + len(body or b"") > ROW_BYTES):
            yield span._replace(first=run.id(start), bodies=bodies[start:at])
            start, size = at, 0
        size += len(body or b"")
    if start < run.length:
        yield span._replace(first=run.id(start), bodies=bodies[start:])
