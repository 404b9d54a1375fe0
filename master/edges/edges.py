"""Needs between shards: a task of this shard may need tasks of another one, exactly as if they were here.

::

    a dependent ─► NEED ──────────► promised ─► kept; what has ended of it ──────────────────► ENDED
    it is counted ◄─ the mirror ◄─────────────────────────────────────────────────────────────┘
    the last dependent is gone ─► RELEASE ─► kept no longer

Each shard writes what it has to say to another one as numbered rows, in the transaction that makes it so (``lines.py``). A transport carries
committed rows from shard to shard, at least once; the other one applies each once, for it notes the number in the transaction that applies
it. So no shard waits for another: while one is away, the rows for it wait, and what needs it waits.

A number that cannot be says that a store was restored from an older copy (``lines.py``): then both lines between the two shards start over (RESET, all that is
needed, ALL; and the ends of what was promised). What is said twice changes nothing, see ``needs.py``.

Its methods for who carries rows are called on the loop's thread, between transactions or while a commit is under way, and change memory only;
after ``received`` and ``acknowledged`` a transaction has to run (``wake``).

Invariants: 1. a dependent is counted down once for each end of what it needs, whatever is carried twice, late, or again after a restart;
2. what another shard needs is not deleted by age; 3. a key learns nothing of tasks in queues that it may not use.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence, Set
from typing import Any, Final

from ...common.domain.id_runs import IdRun
from ...common.errors import ProtocolError
from ..dependencies.needed_tasks import NeededTasks
from ..engine.accounts import Account
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.edges import EdgeRow
from ..store.interface.store import Picture
from ..tasks.routes import Routes
from .bodies import EdgeKind, follows, pack_number, unpack_row
from .lines import EdgeLines
from .needs import NeedsElsewhere
from .promises import Promises

# Ends that one transaction applies, and looks up for others: some thirty milliseconds
APPLIED_TASKS: Final = 1_000
APPLIED_BYTES: Final = 1024 * 1024
ROW_COST: Final = 4  # a row is as much work as so many ends in it
# Of rows of one shard that wait here to be applied: more are left where they are
TAKEN_BYTES: Final = 4 * 1024 * 1024


class Incoming:
    """Rows of one other shard. ``taken``: the last number of them; ``done``: how many of them the transaction under way has applied."""

    def __init__(self, applied: int) -> None:
        self.applied = self.taken = applied
        self.rows: deque[EdgeRow] = deque()
        self.bytes = self.done = 0
        self.is_stuck = False  # the first one is not understood: it is of a newer version

    def take(self, rows: Iterable[EdgeRow]) -> None:
        for row in rows:
            if row.number <= self.taken:
                continue
            if self.bytes >= TAKEN_BYTES or not follows(row, self.taken):
                return  # it comes again; or its shard sees by what is applied here that it has to start over
            self.rows.append(row)
            self.taken = row.number
            self.bytes += len(row.body)

    def committed(self) -> None:
        for _ in range(self.done):
            row = self.rows.popleft()
            self.bytes -= len(row.body)
            self.applied = row.number
        self.done = 0

    def load(self, applied: int) -> None:
        """What follows is still to be applied."""
        self.done, self.applied = 0, applied
        while self.rows and self.rows[0].number <= applied:
            self.bytes -= len(self.rows.popleft().body)
        if self.rows and not follows(self.rows[0], applied):
            self.rows.clear()
            self.bytes = 0
        self.taken = self.rows[-1].number if self.rows else applied


class Edges(Part):
    """``dependents`` of ``needs``: set by who makes both. ``wake``: has a transaction run; set by who carries rows."""

    def __init__(self, core: Core, routes: Routes, tasks: NeededTasks, lines: EdgeLines) -> None:
        self._store, self._report = core.store, core.report
        self.lines = lines
        self.needs = NeedsElsewhere(core.store, lines)
        self.promises = Promises(core.store, routes, tasks, lines)
        self._incoming: dict[int, Incoming] = {}
        self._waiting: dict[int, None] = {}  # shards with rows to be applied, in turn
        self._applied: set[int] = set()  # of which some were, in this transaction
        self._asked_to_reset: set[int] = set()  # these have asked for it, in this transaction
        self.wake: Callable[[], None] = lambda: None

    # for who carries rows

    @property
    def listener(self) -> Callable[[set[int]], None]:
        """Gets the shards for which there are rows, or of which rows were applied, when that is durable."""
        return self.lines.listener

    @listener.setter
    def listener(self, listener: Callable[[set[int]], None]) -> None:
        self.lines.listener = listener

    def received(self, of_shard: int, rows: Sequence[EdgeRow]) -> None:
        """Rows of another shard, in order. What was taken is passed over; what does not follow, or has no room, is left out: it has
        to come again."""
        incoming = self._incoming.setdefault(of_shard, Incoming(0))
        incoming.take(rows)
        if incoming.rows and not incoming.is_stuck:
            self._waiting[of_shard] = None
            self.wake()

    def acknowledged(self, by_shard: int, number: int) -> None:
        """What another shard has applied, durably. As often as it is read, also when it is less than before."""
        self.lines.acknowledged(by_shard, number)
        if self.lines.resets or self.lines.has_more():
            self.wake()

    def pending(self, to_shard: int, after: int, most: int) -> Sequence[EdgeRow]:
        """The first committed rows behind that number, of those in memory: more come in when these are applied."""
        return self.lines.pending(to_shard, after, most)

    def applied(self, of_shard: int) -> int:
        """Durably."""
        incoming = self._incoming.get(of_shard)
        return 0 if incoming is None else incoming.applied

    def taken(self, of_shard: int) -> int:
        """The last number that was received and not left out."""
        incoming = self._incoming.get(of_shard)
        return 0 if incoming is None else incoming.taken

    def expects(self) -> Set[int]:
        """The other shards that have to be looked at: something is said to them that they have not applied, is needed of them, or is
        promised to them."""
        return self.lines.open_shards() | self.needs.shards | self.promises.shards

    # for the dependents of this shard, and for what ends here

    def needed(self, queues: bytes, run: IdRun, account: Account | None) -> None:
        self.needs.needed(queues, run, account)

    def not_needed_yet(self, queues: bytes, runs: Iterable[IdRun]) -> int:
        return self.needs.not_needed_yet(queues, runs)

    def dropped(self, queues: bytes, run: IdRun) -> None:
        self.needs.dropped(queues, run)

    def is_promised(self, run: IdRun) -> bool:
        return self.promises.is_promised(run)

    def needed_in(self, run: IdRun) -> Set[int]:
        return self.promises.shards_of(run)

    def again(self, id: bytes, route: int) -> None:
        self.promises.again(id, route)

    # one transaction

    def load(self, picture: Picture, now: Now) -> None:
        self.needs.load()
        self.promises.load()
        self._applied.clear()
        self._asked_to_reset.clear()
        applied = self._store.edges.applied()
        for shard in applied.keys() | self._incoming.keys():
            incoming = self._incoming.setdefault(shard, Incoming(0))
            incoming.load(applied.get(shard, 0))
        self._waiting = {
            shard: None for shard, one in self._incoming.items() if one.rows and not one.is_stuck
        }

    def give_out(self, now: Now) -> None:
        tasks, size = APPLIED_TASKS, APPLIED_BYTES
        while self._waiting and tasks > 0 and size > 0:
            shard = next(iter(self._waiting))
            del self._waiting[shard]  # behind the others, if it has more
            incoming = self._incoming[shard]
            row = incoming.rows[incoming.done]
            try:
                said = unpack_row(row)
            except ProtocolError as error:
                incoming.is_stuck = True
                self._report("edges.unknown", level="error", shard=shard, error=str(error))
                continue
            kind = EdgeKind(row.kind)
            self._apply(shard, kind, said)
            ends = sum(span.run.length for _, span in said) if kind is EdgeKind.ENDED else len(said)
            tasks, size = tasks - ROW_COST - ends, size - len(row.body)
            incoming.done += 1
            self._applied.add(shard)
            if incoming.done < len(incoming.rows):
                self._waiting[shard] = None
        for shard in self._applied:
            incoming = self._incoming[shard]
            self._store.edges.set_applied(shard, incoming.rows[incoming.done - 1].number)
            self.lines.touch(shard)
        if self._asked_to_reset or self.lines.resets:
            self._reset()
        self.promises.answer(tasks, size)

    def has_more(self) -> bool:
        return bool(self._waiting or self.lines.resets) or self.promises.has_answers or self.needs.has_unused

    def committed(self) -> None:
        for shard in self._applied:
            self._incoming[shard].committed()
        self._applied.clear()

    def void(self) -> Iterable[Session]:
        for shard in self._applied:
            self._incoming[shard].done = 0
        self._applied.clear()
        self._asked_to_reset.clear()
        return ()

    def _apply(self, shard: int, kind: EdgeKind, said: Sequence[Any]) -> None:
        match kind:
            case EdgeKind.NEED:
                self.promises.asked(shard, said)
            case EdgeKind.RELEASE:
                self.promises.released(shard, said)
            case EdgeKind.ENDED:
                for queues, span in said:
                    self.needs.ended(queues, span)
            case EdgeKind.AGAIN:
                for queues, run in said:
                    self.needs.again(queues, run)
            case EdgeKind.BEGIN:
                pass  # it was looked at when the row was taken
            case EdgeKind.RESET:
                self.promises.doubt(shard)
                if said[0]:
                    self._asked_to_reset.add(shard)
            case EdgeKind.ALL:
                self.promises.all_said(shard)

    def _reset(self) -> None:
        """Lines to shards one of whose stores, or of this one, was restored from an older copy."""
        for shard in self.lines.resets.keys() | self._asked_to_reset:
            self.lines.reset(shard)
            self.lines.say(shard, EdgeKind.RESET, pack_number(shard not in self._asked_to_reset))
            self.needs.say_all(shard)
            self.lines.say(shard, EdgeKind.ALL, pack_number(0))
            self.promises.answer_again(shard)
            self._report("edges.reset", level="warning", shard=shard)
        self._asked_to_reset.clear()
