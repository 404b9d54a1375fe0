"""Tasks that wait for other tasks inside themselves: their workers ask for what they wait for, and for nothing else.

::

    lend(waiter, runs, want) ─► parked ─► something of these is ready, and no free slot took it ─► leased to this call
                                      └─► want = 0: answered that something is ready

What a task waits for is what it names, and what this needs before it can run. A call is looked at when it comes, and again when
something became ready in a route of what it waits for, some calls in each transaction. A call is refused when what it waits for waits for a
permit that it would keep without end, or for the very task that waits: see stuck_waits.py.

Invariants: 1. a call is given only tasks that its waiter waits for, which its worker serves; 2. free slots come first; 3. a worker has one
call for each task that waits, and every call is answered, so that no lease is on its way to a worker that expects none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Final

from ...common.domain.id_runs import IdRun, disjoint
from ...common.domain.model import StateNumber
from ...common.errors import InvalidArgument
from ..engine.clock import Now
from ..engine.overlaps import Overlaps
from ..engine.part import Part
from ..engine.session import LATER, Call, Session
from ..store.interface.dependencies import StateSpan
from ..store.interface.store import Picture, Store
from .dispatch import Dispatch
from .held import Reserved
from .leases import LeasedTasks
from .route import Capability, ParkedLease
from .routes import Routes
from .stuck_waits import StuckWaits, words

WAITS_MAX: Final = 10_000  # tasks of one worker that wait
LOOKS_MAX: Final = 20  # calls that one transaction looks at
SPANS_MAX: Final = 1_000  # slices and tasks that one look reads
NEEDS_MAX: Final = 100  # neighbours whose needs one look follows
RUN_BYTES: Final = 160  # of memory for a run that is waited for
STUCK_LOOK_MS: Final = 500  # between two looks whether a wait is stuck
STUCK_WAITS_A_MS: Final = 10  # so many waits, and a millisecond passes between two looks at all of them: a look takes a thirtieth of that
# More than a wait names runs: its number times that, and the place of a run, are no other's
RUNS_SPAN: Final = 1 << 32
READY: Final = int(StateNumber.READY)
RUNNING: Final = int(StateNumber.RUNNING)
BLOCKED: Final = int(StateNumber.BLOCKED)


@dataclass(slots=True, eq=False)
class ParkedWait:
    """``capability``: what its worker serves, as of now; None: it is not there any more."""

    call: Call
    worker: int
    waiter: bytes
    runs: Sequence[IdRun]
    want: int
    capability: Callable[[], Capability | None]
    number: int
    is_at_bound: bool = False  # answered: what it waits for is ready, and its worker may lend no more
    # By route of what it waits for: how often something was ready; None: to be looked at
    seen: dict[int, int] | None = None
    seen_of_all: int | None = None  # the same of all routes; None: what it waits for is known to be there
    seen_freed: int | None = None  # ``HeldLanes.times_freed`` when limits held back all that is ready of it
    seen_placed: int | None = None  # ``Placements.version`` when its worker had no room for some of it
    may_be_circle: bool = False  # some of it may wait for the waiter in turn: to be looked at
    stuck_look_at: int = 0  # the steady moment from which on it is looked at whether it is stuck

    def look_again(self) -> None:
        """Whatever was seen."""
        self.seen = self.seen_freed = None


class LentSlots(Part):
    def __init__(
        self,
        store: Store,
        routes: Routes,
        dispatch: Dispatch,
        running: LeasedTasks,
        all_behind: Callable[[bytes], Iterable[IdRun]],
    ) -> None:
        """``all_behind``: a task, and those that wait for it without a slot, in turn."""
        self._store, self._routes, self._dispatch, self._running = store, routes, dispatch, running
        self._all_behind = all_behind
        self._waits: dict[tuple[int, bytes], ParkedWait] = {}
        self._named: Overlaps[ParkedWait] = Overlaps()  # the same, by what they wait for
        self._numbers = count(1)
        self._has_more = False
        self._stuck: StuckWaits | None = None  # as of this transaction
        self._stuck_look_at = 0  # the steady moment from which on it may be made again

    # calls of workers

    def park(
        self,
        call: Call,
        worker: int,
        waiter: bytes,
        runs: Sequence[IdRun],
        want: int,
        capability: Callable[[], Capability | None],
    ) -> object:
        """The call before it, of the same waiter, is answered with nothing. No runs: it waits no longer. Raises InvalidArgument and
        QuotaExceeded."""
        key = worker, waiter
        before = self._take(key)
        if before is not None and not before.is_at_bound:
            before.call.abandon = None
            before.call.answer([b"", []])
        if not runs:
            return [b"", []]
        if sum(number == worker for number, _ in self._waits) >= WAITS_MAX:
            raise InvalidArgument(f"lend: {WAITS_MAX:,} tasks of this worker wait already")
        # Before anything of it is kept: refused here, it leaves nothing behind.
        call.hold(len(runs) * RUN_BYTES)
        wait = self._waits[key] = ParkedWait(
            call, worker, waiter, runs, want, capability, next(self._numbers)
        )
        for place, run in enumerate(runs):
            self._named.add(run, wait.number * RUNS_SPAN + place, wait)
        call.abandon = lambda: self._forget(key, wait)
        return LATER

    def _forget(self, key: tuple[int, bytes], wait: ParkedWait) -> None:
        if self._waits.get(key) is wait:
            self._take(key)

    def _take(self, key: tuple[int, bytes]) -> ParkedWait | None:
        wait = self._waits.pop(key, None)
        if wait is not None:
            for place, run in enumerate(wait.runs):
                self._named.forget(run, wait.number * RUNS_SPAN + place)
        return wait

    def closed(self, session: Session, now: Now) -> None:
        for key in [key for key, wait in self._waits.items() if wait.call.session is session]:
            self._take(key)

    def became(self, id: bytes) -> None:
        """A task waits for another one from now on, and with it all that wait for it: who waits for one of these may wait for itself."""
        for run in self._all_behind(id) if self._waits else ():
            for _, _, wait in self._named.over(run):
                wait.look_again()

    # what is asked about them

    def wait_of(self, waiter: bytes) -> ParkedWait | None:
        """What a task that runs waits for, inside itself, if its worker has asked for that."""
        held = self._running.get(waiter)
        return None if held is None else self._waits.get((held.worker, waiter))

    def waiter_of(self, id: bytes) -> ParkedWait | None:
        """A task that waits for this one."""
        number = int.from_bytes(id, "big")
        return next(
            (
                one
                for one in self._waits.values()
                if self.wait_of(one.waiter) is one and any(_has(run, number) for run in one.runs)
            ),
            None,
        )

    def resumed(self, queue: str) -> None:
        """What is ready in a queue that was paused may be lent from now on."""
        for wait in self._waits.values():
            wait.look_again()

    # one transaction

    def load(self, picture: Picture, now: Now) -> None:
        for wait in self._waits.values():
            wait.look_again()

    def give_out(self, now: Now) -> None:
        self._has_more = False
        if not self._waits:
            return
        if self._dispatch.has_more():  # free slots come first, and were not all served
            self._has_more = True
            return
        if self._routes.arrived:
            self._dispatch.consulted.struck.compare_arrived()
        self._stuck = None
        waits = self._due()
        due = list(islice(waits, LOOKS_MAX))
        # What a limit holds back, or may be a circle, is looked at whenever there is a transaction, and asks for none.
        self._has_more = any(map(self._is_news, waits))
        for wait in due:
            self._waits[wait.worker, wait.waiter] = self._waits.pop((wait.worker, wait.waiter))  # in turn
            self._serve(wait, now)
        self._stuck = None

    def has_more(self) -> bool:
        return self._has_more

    def _due(self) -> Iterator[ParkedWait]:
        for wait in self._waits.values():
            if not wait.is_at_bound and (wait.seen is None or wait.may_be_circle or self._is_news(wait)):
                yield wait

    def _is_news(self, wait: ParkedWait) -> bool:
        """Whether something has happened to what it waits for since it was looked at."""
        routes = self._routes.by_number
        if wait.is_at_bound:
            return False
        if wait.seen is None:
            return wait.seen_freed != self._routes.lanes.held.times_freed
        return (
            (wait.seen_of_all is not None and wait.seen_of_all != self._routes.readied)
            or (wait.seen_placed is not None and wait.seen_placed != self._routes.placements.version)
            or any(
                route not in routes or routes[route].readied != times for route, times in wait.seen.items()
            )
        )

    def _serve(self, wait: ParkedWait, now: Now) -> None:
        capability = wait.capability()
        if capability is None:
            wait.seen = {}
            return
        ready = self._ready(wait, capability, now.steady)
        if not ready:
            self._refuse_if_stuck(wait, now)
            return
        if wait.want:
            self._dispatch.parked.lend(ParkedLease(wait.call, wait.want, wait.worker), ready, now)
            return
        wait.is_at_bound, wait.call.abandon = (
            True,
            None,
        )  # kept, for `tq why`, until the next call of this waiter
        wait.call.answer([b"", []])

    def _refuse_if_stuck(self, wait: ParkedWait, now: Now) -> None:
        may_be_stuck = wait.seen is None or wait.may_be_circle
        if not may_be_stuck or now.steady < wait.stuck_look_at or self.wait_of(wait.waiter) is not wait:
            return  # no limit holds anything of it back and nothing of it waits, or that was looked at a moment ago
        if self._stuck is None and now.steady < self._stuck_look_at:
            return
        if self._stuck is None:  # one for all looks of a transaction: to make it costs a look at each wait
            waits = {one.waiter: one.runs for one in self._waits.values() if self.wait_of(one.waiter) is one}
            self._stuck_look_at = now.steady + len(waits) // STUCK_WAITS_A_MS
            self._stuck = StuckWaits(
                waits,
                self._store.dependencies.states,
                self._running,
                self._routes,
                self._dispatch.consulted.needs.needs_of,
            )
        wait.stuck_look_at, wait.may_be_circle = now.steady + STUCK_LOOK_MS, False
        if (found := self._stuck.held_back(wait.waiter)) is not None:
            self._forget((wait.worker, wait.waiter), wait)
            wait.call.abandon = None
            wait.call.refuse(InvalidArgument(words(found)))
            self._stuck = None  # it waits no longer

    def _ready(self, wait: ParkedWait, capability: Capability, now: int) -> list[IdRun]:
        """What is ready of what it waits for; notes of what this depends on."""
        self._store.settle()
        ready: list[IdRun] = []
        wait.seen, wait.seen_of_all, wait.seen_placed = {}, None, None
        seen, held, reserved, is_held = wait.seen, self._routes.lanes.held, Reserved(), False
        placements = self._routes.placements
        if placements.lanes:
            self._routes.lanes.keep(now)
        free = placements.scratch(wait.worker)
        named, there = sum(run.length for run in wait.runs), 0
        for place, span in enumerate(self._spans(wait)):
            there += span.length
            if place >= SPANS_MAX:
                break
            if StateNumber(span.state).is_terminal:
                continue
            route = self._routes.by_number[span.route]
            seen[span.route] = route.readied
            wait.may_be_circle |= self._may_wait(span)
            if span.state != READY:
                continue
            for lane, run in self._routes.mixed.by_lane(route, IdRun(span.first, span.length)):
                if lane.is_stopped:
                    continue
                room = min(run.length, held.room(lane, now, reserved))
                is_held |= room < run.length
                if capability not in route.capabilities:
                    continue
                if lane.key.needs:
                    placing = placements.placing(lane.number)
                    if free.room(placing) < room:
                        room, wait.seen_placed = free.room(placing), placements.version
                    free.take(placing, room)
                held.reserve(lane, room, reserved)
                if room:
                    ready.append(IdRun(run.first, room))
        if there < named:  # some are not there yet
            wait.seen_of_all = self._routes.readied
        wait.seen_freed = None
        if is_held and not ready:
            # Looked at again in each transaction: a limit may have room then, also by tokens that have come.
            wait.seen, wait.seen_freed = None, held.times_freed
        return disjoint(ready)  # two threads may wait for the same, or for what it needs

    def _may_wait(self, span: StateSpan) -> bool:
        """Whether some of these wait for others: without a slot, or inside themselves."""
        if span.state == RUNNING and span.length <= NEEDS_MAX:
            return any(self.wait_of(id) is not None for id in IdRun(span.first, span.length).ids())
        return span.state == BLOCKED

    def _spans(self, wait: ParkedWait) -> Iterator[StateSpan]:
        """What it waits for, and what this needs in turn."""
        left, followed = deque(wait.runs), set[IdRun]()
        while left:
            run = left.popleft()
            if run in followed:
                continue
            followed.add(run)
            for span in self._store.dependencies.states(run):
                yield span
                if span.state == BLOCKED:
                    for id in IdRun(span.first, min(span.length, NEEDS_MAX)).ids():
                        left.extend(self._dispatch.consulted.needs.needs_of(id))


def _has(run: IdRun, number: int) -> bool:
    first = int.from_bytes(run.first, "big")
    return first <= number < first + run.length
