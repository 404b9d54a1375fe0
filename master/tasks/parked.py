"""Answers parked lease calls with ready tasks of the store.

::

    lease calls ─► parked ─┐
                           ├─► store.lease ─► noted as running ─► answered after the commit
    lanes with work ───────┘

Workers get what comes first by priority, and then by age. While nothing but workers is waited for, several calls are answered by one look
at all base lanes; when there are others, one call at a time by those lanes that come first (see lanes.py). Where tasks have limits, or
tenants caps, the calls of workers that can start something at once are answered first (see places.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ...common.domain.id_runs import IdRun
from ..engine.clock import Now
from ..engine.work import GLANCES, Work
from ..limits.permits import LOOKED_AT
from ..store.interface.slices import LeasedSlice
from ..store.interface.store import Inconsistent, Store
from ..store.interface.tasks import Leased, Want
from .asking import Asking
from .consulted import Consulted
from .granted import granted
from .lanes import HELD_MAX
from .leases import LeasedTasks, LeaseReply
from .meter import TaskMeter
from .plan import LEASE_BYTES_MAX, LEASE_TASKS_MAX
from .route import READY, Capability, ParkedLease, Route
from .routes import Routes, numbers

CALLS_TOGETHER: Final = 100  # parked calls that are served by one look at what is ready
NONE_READY: Final = "lease: the store has no ready task where the engine counts some"


class ParkedCalls:
    def __init__(
        self,
        store: Store,
        routes: Routes,
        running: LeasedTasks,
        consulted: Consulted,
        new_lease: Callable[[], bytes],
    ) -> None:
        self._store, self._routes, self._running = store, routes, running
        self._consulted, self._new_lease = consulted, new_lease
        self._work = Work()  # a share of the transaction for leases alone
        self.has_more = False  # tasks that could be leased are left for the next transaction
        self.looks: list[tuple[ParkedLease, Capability]] = []  # calls that do not wait
        self.meters: TaskMeter | None = None

    def begin(self) -> None:
        self._work.begin()

    def serve(self, now: Now) -> None:
        """Lease ready tasks to parked calls, within the share of this transaction; the rest follow in the next."""
        self.has_more = False
        if self._routes.have_permits:
            self._serve_free_places(now)
        if not self.has_more:
            self._serve_all(now)

    def _serve_free_places(self, now: Now) -> None:
        """Lease from lanes to the calls of workers with a free place: to each what it can start, and what the others cannot."""
        lanes, placements = self._routes.lanes, self._routes.placements
        for capability in self._routes.capabilities.values():
            while (parked := placements.places.first_call(capability)) is not None:
                lanes.wake(now.steady)
                if lanes.next_call(capability, now.steady) is None:
                    break
                if not self._work.is_left:
                    self.has_more = True
                    return
                lanes.held.asking = Asking(parked.worker, placements)
                try:
                    self._serve_lanes(parked, capability, self._routes.with_work(capability), now)
                finally:
                    lanes.held.asking = None
                if parked.call in capability.parked:
                    break  # there is nothing for it: the others are looked at with it below

    def _serve_all(self, now: Now) -> None:
        lanes = self._routes.lanes
        for capability in self._routes.capabilities.values():
            while capability.parked:
                routes = self._routes.with_work(capability)
                # In the loop: each call that is served may take the last permit,
                # or pass a moment at which there is room.
                lanes.wake(now.steady)
                call = lanes.next_call(capability, now.steady)
                if not routes and call is None:
                    self.has_more |= lanes.held.is_behind
                    break
                # The master does not stop to read for longer than a share: other parts of the transaction follow.
                if not self._work.is_left:
                    self.has_more = True
                    return
                if call is not None:
                    self._serve_lanes(call, capability, routes, now)
                # Sizes have to be added up, which a lease of small tasks does without.
                elif any(route.has_large for route in routes):
                    self._serve_measured(next(iter(capability.parked.values())), routes, now)
                else:
                    self._serve(_next_calls(capability), routes, now)
        # Not while something is left: a call that does not wait must not be answered with nothing because the share was used up.
        if self.looks and not self.has_more:
            self._end_looks()

    def _end_looks(self) -> None:
        """Nothing is ready for these calls that is not leased: those that do not wait are answered."""
        looks, self.looks = self.looks, []
        for parked, capability in looks:
            # It was answered with tasks, or its worker is gone.
            if parked.call in capability.parked:
                answer(LeaseReply(parked, b"", []))

    def _serve_measured(self, parked: ParkedLease, routes: list[Route], now: Now) -> None:
        """Lease to one call as much as its answer can hold."""
        lease = self._new_lease()
        rows = self._store.lease(
            numbers(routes), parked.want, LEASE_BYTES_MAX, lease, parked.worker, now.steady
        )
        if not rows:
            raise Inconsistent(NONE_READY)
        self._work.gave(0, self._give(rows, parked, lease, now))

    def _serve_lanes(
        self, parked: ParkedLease, capability: Capability, routes: list[Route], now: Now
    ) -> None:
        """Lease to a call what comes first in the lanes that have room, and in those that wait for workers alone."""
        before = self._routes.lanes.looks
        chosen, least, is_together_first = self._routes.lanes.choose(capability, routes, parked, now.steady)
        self._work.looked(self._routes.lanes.looks - before)  # each takes as long as a row
        leased = Counter[int]()
        lanes = [one.lane for one in chosen if one.room]
        if not lanes:  # what came to the front was held back
            self._work.looked(HELD_MAX // GLANCES)
        else:
            lease, large = self._new_lease(), any(lane.has_large for lane in lanes)
            together = [one for one in chosen if one.room and one.lane.runs_together]  # one at most
            others = [one for one in chosen if one.room and not one.lane.runs_together]
            rows: list[Leased | LeasedSlice] = []
            # A call of what runs together is one job of its worker, however many tasks it is; with the others these are no more than were
            # asked for.
            left = parked.want
            for some in (together, others) if is_together_first else (others, together):
                if not some or left <= 0:
                    continue
                of_call = some[0].lane.key.coalesce[0] if some is together else 1
                want = min(some[0].room, left * of_call) if some is together else left
                found = self._store.lease(
                    numbers(one.lane for one in some if one.lane.counts[READY]),
                    want,
                    LEASE_BYTES_MAX if large else None,
                    lease,
                    parked.worker,
                    now.steady,
                    {one.lane.number: one.room for one in some},
                    least,
                    self._routes.mixed.named(some, want, least),
                    {one.lane.number: order for one in some if (order := one.lane.order) is not None},
                )
                left -= -(-_tasks_of(found) // of_call)
                rows += found
            if not rows:
                raise Inconsistent(NONE_READY)
            for lane, tasks in self._lanes_of(rows):
                leased[lane.number] += tasks
            size = self._give(rows, parked, lease, now)
            self._work.gave(0, size if large else 0)
        self._routes.lanes.put_back(chosen, leased)

    def _serve(self, calls: list[ParkedLease], routes: list[Route], now: Now) -> None:
        """Lease to several calls, in their order; those for which nothing is left stay parked."""
        wants = [Want(parked.want, self._new_lease(), parked.worker) for parked in calls]
        given = self._store.lease_each(numbers(routes), wants, now.steady)
        if not given[0]:
            raise Inconsistent(NONE_READY)
        for parked, want, rows in zip(calls, wants, given, strict=True):
            if rows:
                self._give(rows, parked, want.lease, now)

    def lend(self, parked: ParkedLease, runs: Sequence[IdRun], now: Now) -> None:
        """Answer a call with some of these tasks, which are ready."""
        want = Want(min(parked.want, LEASE_TASKS_MAX), self._new_lease(), parked.worker)
        rows = self._store.lease_these(runs, want, LEASE_BYTES_MAX, now.steady)
        if not rows:
            raise Inconsistent(NONE_READY)
        lanes = dict(self._lanes_of(rows))
        self._work.gave(0, self._give(rows, parked, want.lease, now))
        for lane in lanes:
            # Taken by their ids, out of turn: the lane may begin with another task now.
            self._routes.lanes.left(lane)

    def _give(self, rows: list[Leased | LeasedSlice], parked: ParkedLease, lease: bytes, now: Now) -> int:
        """Answer a call with what was leased for it; the bytes of the payloads."""
        if self.meters is not None:
            self.meters.leased(rows, now.steady)
        # Results of needed tasks are put into the payloads.
        if self._consulted.needs.are_open:
            rows = self._consulted.needs.carried(rows)
        permitted = self._take_permits(rows, now) if self._routes.have_permits else ()
        groups, tasks, size = granted(rows, parked, lease, self._routes, self._running, permitted)
        self._work.gave(len(rows), 0)
        self._work.glanced(tasks)
        answer(LeaseReply(parked, lease, groups))
        return size

    def _take_permits(self, rows: list[Leased | LeasedSlice], now: Now) -> set[int]:
        """Returns the numbers of the rows whose tasks hold permits that others may wait for, of a limit or of their tenant's cap."""
        held, permitted = self._routes.lanes.held, set[int]()
        taken = Counter[Route]()
        bounded: dict[Route, bool] = {}
        for row in rows:
            for lane, tasks in self._lanes_of([row]):
                if lane not in bounded:
                    bounded[lane] = held.bounds_what_runs(lane)
                if bounded[lane]:
                    permitted.add(row.seq)
                taken[lane] += tasks
        for lane, tasks in taken.items():
            held.take(lane, tasks, now.steady)
        held.permits.forget_idle(now.steady, LOOKED_AT)
        return permitted

    def _lanes_of(self, rows: Sequence[Leased | LeasedSlice]) -> Iterator[tuple[Route, int]]:
        """The lanes of what was leased, and how many tasks of each; one may come several times."""
        for row in rows:
            stop = row.stop if isinstance(row, LeasedSlice) else row.seq + 1
            yield from self._routes.mixed.lanes_of(self._routes.by_number[row.route], row.seq, stop)


def _tasks_of(rows: Sequence[Leased | LeasedSlice]) -> int:
    return sum(row.stop - row.seq if isinstance(row, LeasedSlice) else 1 for row in rows)


def answer(reply: LeaseReply) -> None:
    """A parked call is answered, and parked no longer."""
    call = reply.parked.call
    if call.abandon is not None:
        call.abandon()  # removes it from the parked calls
        call.abandon = None
    call.answer([reply.lease, reply.groups])


def _next_calls(capability: Capability) -> list[ParkedLease]:
    """Those parked calls that are served together: of some, so that what is left of the transaction's share is looked at in
    between."""
    calls: list[ParkedLease] = []
    left = LEASE_TASKS_MAX
    for parked in capability.parked.values():
        left -= parked.want
        if calls and (left < 0 or len(calls) == CALLS_TOGETHER):
            break
        calls.append(parked)
    return calls
