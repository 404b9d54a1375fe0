"""Tasks that became others: each returned the handle of another task, and ends as that one does.

::

    a worker reports the id of the other one ─► judged ─┬► refused: the task fails, and is not tried again
                                                        └► began: blocked, its attempt is over
    Endings.ended of the other one ─► ripe ─► ends in the same state, with the same result or failure ─► Endings.ended, and so on

A transaction ends so many of them, however long the chain is. What is left is found again by the states of the tasks after a
restart: a row of ``becomings`` whose task is blocked is one that waits.

Invariants: 1. a task that became another ends after it, and as it; 2. no task waits for itself, by becomings and needs together;
3. what a task became is not deleted by age before that task has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind, show_id
from ...common.domain.model import (
    TASK_ID_BYTES,
    TERMINAL_STATES,
    OutcomeNumber,
    ResultPolicy,
    StateNumber,
)
from ...common.values.failure import Failure
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.overlaps import Overlaps
from ..engine.part import Part
from ..store.interface.dependencies import BecomingRow
from ..store.interface.store import Picture, Store
from ..tasks.completion import Completion
from ..tasks.results import NOT_KEPT, NOTHING, drops_results
from ..tasks.unsuccessful import options_of
from .dependent import UNKNOWN, Culprit, dependency_failed
from .known import KnownDependents

CHAIN_MAX: Final = 1_000  # tasks of which each became the next: a report walks along them
OPEN_MAX: Final = 250_000  # tasks that wait in this way: each takes half a kilobyte of memory
LOOKS_MAX: Final = 1_000  # runs of tasks that are looked at, up and down, for a circle: about a millisecond
ENDED_MAX: Final = 1_000  # that one transaction ends: some fifty milliseconds
COPIED_BYTES: Final = 16 * 1024 * 1024  # of results that it copies, and beyond by one
CLUSTER_ID: Final = "cluster_id"  # in the store
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)
BLOCKED: Final = int(StateNumber.BLOCKED)
FAILED: Final = int(StateNumber.FAILED)

Neighbours = Callable[[IdRun], Iterator[IdRun]]


class Becomings(Part):
    """``known``: the tasks that need others, which ``Dependencies`` keeps."""

    def __init__(
        self,
        store: Store,
        completion: Completion,
        known: KnownDependents,
        is_elsewhere: Callable[[bytes], bool],
    ) -> None:
        """``is_elsewhere``: whether a task, by its id, is of another shard."""
        self._is_elsewhere = is_elsewhere
        self._store, self._completion, self.known = store, completion, known
        self._open: dict[bytes, BecomingRow] = {}  # those that wait, by their id
        self._own: Overlaps[BecomingRow] = Overlaps()  # the same
        self._needed: Overlaps[BecomingRow] = Overlaps()  # the same, by the id of what they became
        self._above: dict[bytes, int] = {}  # by id: the longest chain of becomings that leads to it
        self._ripe: deque[BecomingRow] = deque()  # the other one has ended
        self.ended_at_once = ENDED_MAX
        # Gets the id of each task that became another; it is made later.
        self.listener: Callable[[bytes], None] = _ignore

    # what is asked about them

    @property
    def are_open(self) -> bool:
        return bool(self._open)

    def is_needed(self, run: IdRun) -> bool:
        return self._needed.has(run)

    def other_of(self, id: bytes) -> bytes | None:
        """What a task that waits became."""
        row = self._open.get(id)
        return None if row is None else row.other

    def needs_of(self, id: bytes) -> Sequence[IdRun]:
        """What a task waits for: what it became, at the end of the chain, or what it needs."""
        if id not in self._open:
            return self.known.needs_of(id)
        while (row := self._open.get(id)) is not None:
            id = row.other
        return [IdRun(id, 1)]

    def became(self, id: bytes) -> list[bytes]:
        """Those that wait for this task, because they became it."""
        return [row.id for _, _, row in self._needed.over(IdRun(id, 1))]

    def all_behind(self, id: bytes) -> Iterator[IdRun]:
        """A task, and those that wait for it because they became it or need it, in turn; so many at most as one look follows."""
        return islice(_followed(IdRun(id, 1), self._awaited_by), LOOKS_MAX)

    # reports

    def judged(
        self, id: bytes, body: bytes | None, may_see: Callable[[int], bool]
    ) -> tuple[OutcomeNumber, bytes]:
        """The outcome of an attempt that returned a handle, and what is recorded of it. ``may_see``: whether a route is in a queue
        of the key that reports: it gets to know how the other task ends."""
        other, cluster = (body or b"")[:TASK_ID_BYTES], (body or b"")[TASK_ID_BYTES:]
        why_not = self._why_not(id, other, cluster, may_see)
        if why_not:
            text = f"the task returned a handle, which cannot be its result: {why_not}"
            return OutcomeNumber.DISCARD, Failure("InvalidArgument", text).encode()
        return OutcomeNumber.BECAME, Failure("", "", detail={"became": show_id(other)}).encode()

    def _why_not(self, id: bytes, other: bytes, cluster: bytes, may_see: Callable[[int], bool]) -> str:
        if len(other) != TASK_ID_BYTES:
            return "the report names no task"
        named, own = f"task {show_id(other)}", self._store.get_meta(CLUSTER_ID)
        if cluster and own is not None and cluster != own:
            return f"{named} is of another cluster; wait for it, and return what its result() gives"
        if other == id:
            return "it is its own"
        if self._is_elsewhere(other):
            return f"{named} is of another shard; submit a task that needs it, and return that one's handle"
        found = self._store.find([other])
        if not found or not may_see(found[0].route):
            return (
                f"no task has the id {show_id(other)}: it was never submitted to this master, is kept no longer, or is in a queue that "
                "the key of the worker may not use"
            )
        if len(self._open) >= OPEN_MAX:
            return f"{OPEN_MAX:,} tasks wait for the end of what they became already"
        if self._above.get(id, 0) + 1 + self._below(other) > CHAIN_MAX:
            return f"more than {CHAIN_MAX:,} tasks would become one another in a chain; do several steps in one task"
        closes = self._closes_circle(id, other)
        if closes is None:
            return f"{named} waits for too many others to see whether it waits for this one; submit a task that needs less"
        return f"{named} waits for this task in turn" if closes else ""

    def began(self, id: bytes, seq: int, body: bytes | None) -> None:
        """A task that was judged waits from now on; ``body``: as it was reported."""
        row = BecomingRow(seq, id, (body or b"")[:TASK_ID_BYTES])
        self._add(row)
        self._store.dependencies.add_becoming(row)
        self._judge(row)
        self.listener(id)

    def revived(self, seq: int) -> None:
        """It runs again, and becomes what it then returns."""
        self._store.dependencies.forget_becoming(seq)

    def _below(self, id: bytes) -> int:
        """How many becomings follow from this task."""
        length = 0
        while (row := self._open.get(id)) is not None:
            length, id = length + 1, row.other
        return length

    # circles

    def _closes_circle(self, id: bytes, other: bytes) -> bool | None:
        """Whether the other task waits for this one, for what it needs or became, and so on. None: that is too much to look through
        in both directions."""
        down = _reaches(IdRun(other, 1), id, self._waits_for)
        up = _reaches(IdRun(id, 1), other, self._awaited_by)
        for _ in range(LOOKS_MAX):
            for looked in (next(down), next(up)):
                if looked is not None:
                    return looked
        return None

    def _waits_for(self, run: IdRun) -> Iterator[IdRun]:
        for _, _, row in self._own.over(run):
            yield IdRun(row.other, 1)
        for part, place, dependent in self.known.own.over(run):
            if dependent.each:
                yield IdRun(id_behind(dependent.needs[0].first, place), part.length)
            else:
                yield from dependent.needs

    def _awaited_by(self, run: IdRun) -> Iterator[IdRun]:
        for _, _, row in self._needed.over(run):
            yield IdRun(row.id, 1)
        for part, place, dependent in self.known.needed.over(run):
            yield IdRun(id_behind(dependent.id, place), part.length) if dependent.each else dependent.run

    # what ends

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        if not self._open:
            return
        for run, *_ in tasks:
            self._ripe += [row for _, _, row in self._needed.over(run)]
            for row in [row for _, _, row in self._own.over(run)]:
                self._forget(row)

    def give_out(self, now: Now) -> None:
        left, room = self.ended_at_once, COPIED_BYTES
        while self._ripe and left > 0 and room > 0:
            ended: list[Ended] = []
            for _ in range(min(left, len(self._ripe))):
                if room <= 0:
                    break
                left -= 1
                one = self._end(self._ripe.popleft(), now)
                if one is not None:
                    ended.append(one)
                    room -= len(one[4][0] or b"")
            self._completion.ends(ended, now)

    def has_more(self) -> bool:
        return bool(self._ripe)

    def _end(self, row: BecomingRow, now: Now) -> Ended | None:
        """None: it waits no longer, or waits again."""
        if self._open.get(row.id) is not row:
            return None
        [options] = [facts.options for facts in self._store.facts([row.seq]).values()] or [None]
        state, body = FAILED, dependency_failed(Culprit(row.other, "", UNKNOWN, None), 1, 1, 1)
        for found in self._store.outcomes([row.other]):
            if StateNumber(found.state) not in TERMINAL_STATES:
                return None  # it runs again by hand: its next end counts
            state, body = found.state, found.body or b""
        drops = drops_results(options) and not self.is_needed_by_any(IdRun(row.id, 1))
        if state != SUCCEEDED and options_of(options).result == ResultPolicy.NONE:
            body = NOT_KEPT
        elif state == SUCCEEDED and drops:
            body = NOTHING
        elif state == SUCCEEDED:
            for other in self._store.find([row.other]):
                self._store.blobs.name_as(row.seq, other.seq)
        for one in self._store.end_as_other(row.seq, state, body or None, now.steady):
            return IdRun(one.id, 1), one.route, BLOCKED, state, [body or None], one.origin
        return None

    def is_needed_by_any(self, run: IdRun) -> bool:
        """By a task that became one of these, or needs one."""
        return self.is_needed(run) or self.known.is_needed(run)

    # memory

    def load(self, picture: Picture, now: Now) -> None:
        self._open.clear()
        self._own.clear()
        self._needed.clear()
        self._above.clear()
        self._ripe.clear()
        for row in self._store.dependencies.open_becomings():
            self._add(row)
            self._judge(row)

    def _judge(self, row: BecomingRow) -> None:
        """Whether the other one has ended already, or is there no more."""
        spans = self._store.dependencies.states(IdRun(row.other, 1))
        if not spans or StateNumber(spans[0].state) in TERMINAL_STATES:
            self._ripe.append(row)

    def _add(self, row: BecomingRow) -> None:
        self._open[row.id] = row
        self._own.add(IdRun(row.id, 1), row.seq, row)
        self._needed.add(IdRun(row.other, 1), row.seq, row)
        above, following = self._above, row
        length = above.get(row.id, 0) + 1
        while length > above.get(following.other, 0):
            above[following.other] = length
            if following.other not in self._open:
                break
            following, length = self._open[following.other], length + 1

    def _forget(self, row: BecomingRow) -> None:
        del self._open[row.id]
        self._own.forget(IdRun(row.id, 1), row.seq)
        self._needed.forget(IdRun(row.other, 1), row.seq)
        self._above.pop(row.id, None)
        if not self.is_needed(IdRun(row.other, 1)):
            self._above.pop(row.other, None)


def _ignore(_: bytes) -> None:
    """Until there is a listener."""


def _reaches(start: IdRun, goal: bytes, neighbours: Neighbours) -> Iterator[bool | None]:
    """Whether a run with this task can be reached; None for each run at which it was looked before that is known."""
    for run in _followed(start, neighbours):
        first, last = run.ends()
        if first <= goal <= last:
            yield True
            return
        yield None
    yield False


def _followed(start: IdRun, neighbours: Neighbours) -> Iterator[IdRun]:
    """A run and all that can be reached from it, each once."""
    seen, left = {start}, deque([start])
    while left:
        run = left.popleft()
        yield run
        for one in islice(neighbours(run), LOOKS_MAX):  # so many are looked at in all
            if one not in seen:
                seen.add(one)
                left.append(one)
