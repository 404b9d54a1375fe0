"""Rows for other shards: numbered, written in the transaction that makes the fact, and given out when that is durable.

::

    say ─► fresh ─► settle: a row with the next number ─► committed ─► pending, for who carries rows
    acknowledged: applied over there ─► deleted, some together, or with the next row that is written

Each start of a master begins an epoch of numbers, with a row that says which number it follows. What the other shard has applied is then the
number of a row that is there, or of the last one that was deleted. If it is not, one of the two stores was restored from an older copy: the line
starts over.

In memory is the beginning of what waits, up to a bound; the rest is read when that was applied.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Final

from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.edges import EdgeRow, before_epoch, epoch_of
from ..store.interface.store import Picture, Store
from .bodies import EdgeKind, EndedSpan, pack_ended, pack_number, unpack_row

ROW_TASKS: Final = 1_000  # ends in one row: what one transaction applies
ROW_BYTES: Final = 1024 * 1024  # of results in one row; a larger one is alone in it
MEMORY_BYTES: Final = 4 * 1024 * 1024  # of rows for one shard that wait in memory
READ_ROWS: Final = 8  # at a time, when there is room for more
DELETED_TOGETHER: Final = 100  # rows that were applied: to delete each by itself would be a commit for each
DELETED_BYTES: Final = 256 * 1024


class OutgoingLine:
    """For one shard. ``made``: the last number that was given; ``stored``: that of the last row that is durable; ``read``: of the last one in
    memory; ``deleted``: the number before the first row that is there. ``spans``: the first and last number of those that are there, of each
    epoch. ``starts_over``: the first of them is RESET."""

    def __init__(
        self, made: int, deleted: int, spans: Iterable[tuple[int, int]] = (), *, starts_over: bool = False
    ) -> None:
        self.made = self.stored = made
        self.deleted = self.read = self.acknowledged = deleted
        self.spans, self.starts_over = list(spans), starts_over
        self.rows: list[EdgeRow] = []
        # Of rows in memory; of those that were acknowledged, and how many
        self.bytes = self.done_bytes = self.done = 0
        self.fresh: list[EdgeRow] = []
        self._has_begun = starts_over  # in this life of its master
        self._queues, self._spans = b"", list[EndedSpan]()  # that go into one row together
        self._tasks = self._bytes = 0

    @classmethod
    def reset(cls, epoch: int) -> OutgoingLine:
        before = before_epoch(epoch)
        return cls(before, before, [(before + 1, before + 1)], starts_over=True)

    def say(self, kind: EdgeKind, body: bytes, epoch: int) -> None:
        """``epoch``: in which this master begins, if it is later than the last one."""
        self.gather(epoch)
        if not self._has_begun:
            self._has_begun, before = True, self.made
            self.made = before_epoch(max(epoch_of(before) + 1, epoch))
            self._add(EdgeKind.BEGIN, pack_number(before))
        self._add(kind, body)

    def _add(self, kind: EdgeKind, body: bytes) -> None:
        self.made += 1
        self.fresh.append(EdgeRow(self.made, int(kind), body))

    def say_ended(self, queues: bytes, span: EndedSpan, epoch: int) -> None:
        for part in _parts(span):
            tasks, size = part.run.length, part.bytes
            if queues != self._queues or self._tasks + tasks > ROW_TASKS or self._bytes + size > ROW_BYTES:
                self.gather(epoch)
                self._queues = queues
            self._spans.append(part)
            self._tasks, self._bytes = self._tasks + tasks, self._bytes + size

    def gather(self, epoch: int) -> None:
        """What is to go into one row together does."""
        if self._spans:
            spans, self._spans, self._tasks, self._bytes = self._spans, [], 0, 0
            self.say(EdgeKind.ENDED, pack_ended(self._queues, spans), epoch)

    def forget_fresh(self) -> None:
        self.fresh.clear()
        self._spans.clear()
        self._tasks = self._bytes = 0

    def committed(self) -> None:
        for row in self.fresh:
            first, last = self.spans[-1] if self.spans else (row.number, row.number - 1)
            if row.number == last + 1:
                self.spans[-1:] = [(first, row.number)]
            elif row.number > last:
                self.spans.append((row.number, row.number))
        if self.read == self.stored:
            self.keep(self.fresh)
        self.fresh, self.stored = [], self.made

    def keep(self, rows: Iterable[EdgeRow]) -> None:
        """In memory, behind those that are there, if there is room."""
        for row in rows:
            if self.bytes >= MEMORY_BYTES:
                return
            self.rows.append(row)
            self.bytes += len(row.body)
            self.read = row.number

    def behind(self, number: int, most: int) -> Sequence[EdgeRow]:
        """Of those in memory."""
        start = bisect_right(self.rows, number, key=attrgetter("number"))
        return tuple(self.rows[start : start + most])

    def drop_done(self) -> None:
        """What was acknowledged is deleted."""
        upto = self.deleted = self.acknowledged
        self.done = self.done_bytes = 0
        gone = bisect_right(self.rows, upto, key=attrgetter("number"))
        self.bytes -= sum(len(row.body) for row in self.rows[:gone])
        del self.rows[:gone]
        self.spans = [(max(first, upto + 1), last) for first, last in self.spans if last > upto]
        self.read, self.starts_over = max(self.read, upto), False

    @property
    def is_open(self) -> bool:
        """Whether something is not acknowledged."""
        return self.acknowledged < self.made

    @property
    def has_done(self) -> bool:
        """Whether so much was acknowledged that to delete it is worth a commit."""
        return self.done >= DELETED_TOGETHER or self.done_bytes >= DELETED_BYTES

    @property
    def wants_rows(self) -> bool:
        return self.read < self.stored and self.bytes < MEMORY_BYTES // 2

    def is_expected(self, number: int) -> bool:
        """Whether the other shard may have applied up to there, which is noted then; else one of the two stores was restored from an older
        copy."""
        if number == self.deleted or any(first <= number <= last for first, last in self.spans):
            self.acknowledged = number
            self.done = sum(max(0, min(last, number) - first + 1) for first, last in self.spans)
            self.done_bytes = sum(len(row.body) for row in self.rows if row.number <= number)
            return True
        # It has read a row whose commit this master has not noticed yet: that is noted when it says so again.
        if any(row.number == number for row in self.fresh):
            return True
        # It has applied nothing yet since the line started over.
        return self.starts_over and number < self.spans[0][0]


class EdgeLines(Part):
    """``listener``: gets the shards for which rows were made, or of which rows were applied, when that is durable."""

    def __init__(self, store: Store, seconds: Callable[[], int]) -> None:
        """``seconds``: of the wall's clock. A master begins its numbers there, or behind those that the store knows."""
        self._store, self._seconds = store, seconds
        self._lines: dict[int, OutgoingLine] = {}
        self._said: set[int] = set()  # in this transaction, by shard
        self._due: set[int] = set()  # whose lines have something to delete, or to read
        self._touched: set[int] = set()
        self.may_tidy = False  # in this transaction: not while the store is in trouble
        self.resets: dict[int, int] = {}  # the epoch in which a line is to start over, by shard
        self.listener: Callable[[set[int]], None] = lambda shards: None
        self.before_write: list[
            Callable[[], None]
        ] = []  # what others have to say at the end of a transaction
        self.after_load: list[Callable[[], None]] = []  # when all parts are loaded that come before this one

    # what this shard has to say

    def say(self, to_shard: int, kind: EdgeKind, body: bytes) -> None:
        self._line(to_shard).say(kind, body, self._seconds())
        self._said.add(to_shard)

    def say_ended(self, to_shard: int, queues: bytes, span: EndedSpan) -> None:
        self._line(to_shard).say_ended(queues, span, self._seconds())
        self._said.add(to_shard)

    def reset(self, to_shard: int) -> None:
        """Say all again, whatever was said before."""
        least = max(epoch_of(self._line(to_shard).made), self.resets.pop(to_shard, 0))
        line = self._lines[to_shard] = OutgoingLine.reset(max(least + 1, self._seconds()))
        self._store.edges.forget_outgoing(to_shard, line.made)

    def touch(self, shard: int) -> None:
        """Rows of it were applied in this transaction."""
        self._touched.add(shard)

    def _line(self, to_shard: int) -> OutgoingLine:
        return self._lines.setdefault(to_shard, OutgoingLine(0, 0))

    # for who carries rows

    def pending(self, to_shard: int, after: int, most: int) -> Sequence[EdgeRow]:
        line = self._lines.get(to_shard)
        return () if line is None else line.behind(after, most)

    def acknowledged(self, by_shard: int, number: int) -> None:
        line = self._lines.get(by_shard)
        if line is None:
            if number:  # this store is another one, and has said nothing yet
                self.resets[by_shard] = epoch_of(number)
            return
        if not line.is_expected(number):
            self.resets[by_shard] = epoch_of(number)
        self._look_at(by_shard, line)

    def open_shards(self) -> set[int]:
        return {shard for shard, line in self._lines.items() if line.is_open} | self.resets.keys()

    # one transaction

    def load(self, picture: Picture, now: Now) -> None:
        before, self._lines = self._lines, {}
        self._said.clear()
        self._due.clear()
        self.resets.clear()
        spans: dict[int, list[tuple[int, int]]] = {}
        for shard, first, last in self._store.edges.spans_outgoing():
            spans.setdefault(shard, []).append((first, last))
        for shard, made in self._store.edges.made().items():
            line = self._lines[shard] = self._load(shard, made, spans.get(shard, []))
            if shard in before:  # what it has said stays true
                line.is_expected(before[shard].acknowledged)
            self._look_at(shard, line)
        self._read_more()
        for hook in self.after_load:
            hook()

    def _load(self, shard: int, made: int, spans: list[tuple[int, int]]) -> OutgoingLine:
        if not spans:
            return OutgoingLine(made, made)
        before = spans[0][0] - 1
        [row] = self._store.edges.outgoing(shard, before, 1)
        if row.kind == EdgeKind.BEGIN:
            before = unpack_row(row)[0]
        return OutgoingLine(made, before, spans, starts_over=row.kind == EdgeKind.RESET)

    def begin(self) -> None:
        self.may_tidy = False

    def give_out(self, now: Now) -> None:
        self.may_tidy = True
        self._read_more()

    def has_more(self) -> bool:
        return bool(self._due)

    def settle(self, now: Now) -> None:
        for say in self.before_write:
            say()
        for shard in self._said | self._due:
            line = self._lines[shard]
            line.gather(self._seconds())
            if line.acknowledged > line.deleted and (line.fresh or (line.has_done and self.may_tidy)):
                self._store.edges.forget_outgoing(shard, line.acknowledged)
                line.drop_done()
            if line.fresh:
                self._store.edges.add_outgoing(shard, line.fresh)
                self._store.edges.set_made(shard, line.made)
            self._look_at(shard, line)

    def committed(self) -> None:
        for shard in self._said:
            line = self._lines[shard]
            line.committed()
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
