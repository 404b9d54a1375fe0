"""Tasks that wait, inside themselves, for a permit which only they, or others that wait so, could give back. Pure but for reads.

::

    parent (has the permit of a limit of 1) ──waits for──► child (has the same limit) ──waits for──► that permit

A permit is not lent, as a slot is: a wait may end before what it waits for does (its time is up), and then two would run under a limit of
one. So the wait is refused, where otherwise it would last without end.

And those that wait, inside themselves, for tasks which wait for them: each other, or a task that returned their handle.

A wait is stuck when nothing of what it waits for can go on: each of these tasks is held back by a limit of which too few permits would be left if
all tasks gave theirs back but those that are stuck themselves; or it runs, and is stuck in a wait of its own; or it is blocked by such tasks
alone. Whatever else is among them, and whatever would take long to look at, may go on: what is not there yet, or is to begin later. A wait
that is refused wrongly costs a task; one that is not refused lasts as it did.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final, NamedTuple

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import show_id
from ...common.domain.limit_parts import LimitHere
from ...common.domain.model import StateNumber
from ..limits.permits import LimitKey
from ..store.interface.dependencies import StateSpan
from .leases import LeasedTasks
from .route import Route
from .routes import Routes

WAITS_MAX: Final = 200  # that one look follows
RUNS_MAX: Final = 100  # that a wait may name to be looked at
PARTS_MAX: Final = 100  # slices, rows, lanes of mixed arrays and running tasks that it may wait for
READY, RUNNING, BLOCKED = int(StateNumber.READY), int(StateNumber.RUNNING), int(StateNumber.BLOCKED)


class HeldBack(NamedTuple):
    """A task that is waited for, and the limit that holds it back."""

    id: bytes
    limit: LimitHere
    key: str


class Circle(NamedTuple):
    """A task that is waited for, and waits in turn for the one that waits for it."""

    id: bytes


class Awaited(NamedTuple):
    """What a wait is for and has not ended."""

    ready: list[tuple[Route, bytes]]  # lanes, each with the first of its tasks
    running: list[bytes]


class StuckWaits:
    """Of one moment. ``waits``: what each task that waits is waiting for. ``states``: what of that there is."""

    def __init__(
        self,
        waits: Mapping[bytes, Sequence[IdRun]],
        states: Callable[[IdRun], list[StateSpan]],
        running: LeasedTasks,
        routes: Routes,
        needs_of: Callable[[bytes], Sequence[IdRun]],
    ) -> None:
        """``needs_of``: what a task waits for without a slot."""
        self._waits, self._states, self._routes, self._needs_of = waits, states, routes, needs_of
        self._in_force = routes.lanes.held.permits.in_force
        self._awaited: dict[bytes, Awaited | None] = {}
        self._units: dict[bytes, dict[LimitKey, int]] = {}  # that a task which waits holds, if it has limits
        self._holders: dict[LimitKey, list[bytes]] = {}  # those tasks
        self._held: Counter[LimitKey] = Counter()  # by all of them
        for waiter in waits:
            held = running.get(waiter)
            if held is None or (lane := routes.by_number.get(held.route)) is None:
                continue
            units = {(name, key): n for name, key, n in routes.mixed.lane_of(lane, held.seq).key.limits}
            if units:
                self._units[waiter] = units
                self._held.update(units)
                for key in units:
                    self._holders.setdefault(key, []).append(waiter)

    def held_back(self, waiter: bytes) -> HeldBack | Circle | None:
        """What a task waits for whose wait is stuck; None: it is not stuck, or that would take too long to know."""
        if not self._is_stuck(waiter, self._waits.keys(), self._held):
            return None  # mostly: even if all that wait kept their permits, something of it could go on
        stuck = self._reached(waiter)
        if len(stuck) > WAITS_MAX:
            return None
        while True:
            held = Counter[LimitKey]()
            for one in stuck:
                held.update(self._units.get(one, {}))
            going = {one for one in stuck if not self._is_stuck(one, stuck, held)}
            if waiter in going:
                return None
            if not going:
                return self._first_held(waiter, stuck, held) or Circle(self._waits[waiter][0].first)
            stuck -= going

    def _reached(self, waiter: bytes) -> set[bytes]:
        """The waits on which it depends whether this one is stuck: those of tasks it waits for, and of what holds the permits for them."""
        found, left = {waiter}, [waiter]
        while left and len(found) <= WAITS_MAX:
            awaited = self._awaited_by(left.pop())
            if awaited is None:
                continue
            others = {id for id in awaited.running if id in self._waits}
            for lane, _ in awaited.ready:
                for name, key, _ in lane.key.limits:
                    others.update(self._holders.get((name, key), ()))
            left += others - found
            found |= others
        return found

    def _is_stuck(self, waiter: bytes, stuck: AbstractSet[bytes], held: Mapping[LimitKey, int]) -> bool:
        """Whether nothing of what it waits for can go on, as long as these keep their permits, which are so many."""
        awaited = self._awaited_by(waiter)
        if awaited is None or not (awaited.ready or awaited.running):
            return False
        return all(id in stuck for id in awaited.running) and all(
            self._holding(lane, held) is not None for lane, _ in awaited.ready
        )

    def _holding(self, lane: Route, held: Mapping[LimitKey, int]) -> tuple[LimitHere, str] | None:
        """The limit that lets no task of a lane begin as long as so many permits are kept."""
        for name, key, units in lane.key.limits:
            limit, kept = self._in_force(name), held.get((name, key), 0)
            if (
                limit is not None
                and limit.max_running is not None
                and kept
                and kept + units > limit.max_running
            ):
                return limit, key
        return None

    def _awaited_by(self, waiter: bytes) -> Awaited | None:
        """None: something of it may go on, or it is too much to look at."""
        if waiter not in self._awaited:
            self._awaited[waiter] = self._look(self._waits[waiter])
        return self._awaited[waiter]

    def _look(self, runs: Sequence[IdRun]) -> Awaited | None:
        if len(runs) > RUNS_MAX:
            return None
        awaited, parts = Awaited([], []), 0
        left, followed = deque(runs), set[IdRun]()
        while left:
            run = left.popleft()
            if run in followed:
                continue
            followed.add(run)
            spans = self._states(run)
            if sum(span.length for span in spans) < run.length:
                return None  # some are not there yet
            for span in spans:
                if StateNumber(span.state).is_terminal:
                    continue
                part = IdRun(span.first, span.length)
                if span.state == RUNNING:
                    ids = part.ids() if span.length <= PARTS_MAX else []
                    parts += span.length
                    awaited.running.extend(ids)
                elif span.state == READY:
                    lane = self._routes.by_number[span.route]
                    some = list(islice(self._routes.mixed.by_lane(lane, part), PARTS_MAX + 1))
                    parts += len(some)
                    awaited.ready.extend((one, same.first) for one, same in some)
                elif span.state == BLOCKED and span.length <= PARTS_MAX:
                    parts += span.length
                    needs = [self._needs_of(id) for id in part.ids()]
                    if not all(needs):
                        return None  # blocked by something else than tasks
                    left.extend(one for some_runs in needs for one in some_runs)
                else:
                    return None
                if parts > PARTS_MAX:
                    return None
        return awaited

    def _first_held(
        self, waiter: bytes, stuck: AbstractSet[bytes], held: Mapping[LimitKey, int]
    ) -> HeldBack | None:
        """Of what it waits for first, otherwise of what others do."""
        for one in (waiter, *stuck):
            awaited = self._awaited_by(one)
            for lane, id in awaited.ready if awaited is not None else ():
                if (holding := self._holding(lane, held)) is not None:
                    return HeldBack(id, *holding)
        return None


def words(found: HeldBack | Circle) -> str:
    """For the task whose wait is refused."""
    if isinstance(found, Circle):
        return (
            f"{show_id(found.id)} waits, itself or by what it waits for, for this task, which waits for it: none of them would ever end. A task "
            "returns no handle of one that waits for it; return the value, or give what both need to a third task"
        )
    key = f" of key {found.key!r}" if found.key else ""
    limit = found.limit
    return (
        f"{show_id(found.id)} is held back by limit {limit.name!r}{key}, of which at most {limit.max_running} may run, and those that have it "
        "wait themselves: none of them would ever give it back. Return the handle, or give it to the task that needs the result, "
        "as an argument; or take the limit from one of the two"
    )
