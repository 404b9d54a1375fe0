"""From submits and parked lease calls to rows: decides once per transaction which worker gets which task.

::

    submit calls ─► fresh ─┐                      ┌─► rows inserted RUNNING, leased to a waiting worker
                           ├─► plan ─► insert ────┤
    lease calls ─► parked ─┘     ▲        │       └─► rows inserted READY or SCHEDULED
                                 └────────┘ an id exists already: drop it, plan again
    then: routes with ready rows ─► store.lease ─► the calls still parked

A task for which a worker already waits is written once, as leased, instead of inserted, found and updated.

Invariants: 1. a plan has no effect until its insert succeeded; 2. a lease leaves only in the reply that
follows the commit of its row; 3. ready rows in the store are leased before fresh ones of the same capability.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import starmap
from typing import Any, Final

from ...common.domain.id_runs import IdRun, runs_of
from ...common.domain.ids import COMPUTED
from ...common.domain.model import TaskOptions
from ...common.errors import InvalidArgument, TqError
from ...common.values.brief import brief
from ...common.wire.frames import pack, too_large
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import LATER, Call, Session
from ..engine.work import Work
from ..store.interface.slices import LeasedSlice
from ..store.interface.store import Inconsistent, Picture, Store
from ..store.interface.tasks import Leased, Want
from .consulted import Consulted
from .expiry import Expiry
from .granted import granted
from .known_tasks import new_tasks
from .leases import LeasedTasks, LeaseReply
from .meter import TaskMeter
from .origins import is_of_flow
from .plan import LEASE_BYTES_MAX, LEASE_TASKS_MAX, Plan, Submission
from .routes import Capability, ParkedLease, Route, Routes, numbers
from .scheduled import ScheduledTasks
from .submitted import NewRun, check_computed, new_runs, only
from .subscriptions import Subscriptions

LARGE_BYTES: Final = LEASE_BYTES_MAX // LEASE_TASKS_MAX  # smaller payloads cannot fill a reply: not measured
CALLS_TOGETHER: Final = 100  # parked calls that are served by one look at what is ready
NONE_READY: Final = "lease: the store has no ready task where the engine counts some"
SUBMIT_TASKS_MAX: Final = 10_000  # in one call: bounds the time that its transaction takes


class Dispatch(Part):
    """Holds the submits of a transaction until ``settle``, and answers parked lease calls."""

    def __init__(
        self,
        store: Store,
        routes: Routes,
        running: LeasedTasks,
        subscriptions: Subscriptions,
        scheduled: ScheduledTasks,
        expiry: Expiry,
        consulted: Consulted,
        new_lease: Callable[[], bytes],
        payload_bytes_max: int,
    ) -> None:
        self._store, self._routes, self._running, self._subscriptions = store, routes, running, subscriptions
        self._scheduled, self._expiry = scheduled, expiry
        self._work = Work()  # a share of the transaction for leases alone
        self._has_more = False  # tasks that could be leased are left for the next transaction
        self._new_lease, self._payload_bytes_max = new_lease, payload_bytes_max
        self.meters: TaskMeter | None = None
        self.consulted = consulted
        self._fresh: list[Submission] = []
        self._repeated: list[
            tuple[Session, str, list[IdRun]]
        ] = []  # watches of tasks that another submit makes
        self.last_seq = 0

    def load(self, picture: Picture, now: Now) -> None:
        self.last_seq = picture.last_seq

    # calls

    def submit(
        self,
        call: Call,
        route: Route,
        options: TaskOptions,
        tasks: Any,
        stream: str | None,
        blobs: dict[bytes, list[int]] | None = None,
        proofs: Any = None,
        flow: bytes | None = None,
        parent: Any = None,
    ) -> object:
        """Note the tasks; the call is answered by ``settle`` with the number that were new."""
        if not isinstance(tasks, list):
            raise InvalidArgument(f"tasks must be a list of [id, payload], not {brief(tasks, 80)}")
        runs = new_runs(tasks, SUBMIT_TASKS_MAX)
        if any(new.first >= COMPUTED for new in runs):
            check_computed(route, runs, proofs)
        if runs and runs[0].needs is not None:
            self.consulted.needs.check(call.session, runs, options)
        if stream is not None:
            self._subscriptions.check_room(call.session, stream, (new.run for new in runs))
        chosen = options.to_wire()
        packed = pack(chosen) if chosen else None
        largest = _largest(runs)
        if largest > self._payload_bytes_max:
            raise InvalidArgument(too_large("the arguments have", largest, self._payload_bytes_max))
        has_large = largest > LARGE_BYTES
        origin = None
        if flow is not None:
            origin = self.consulted.flows.origin(
                call.session, flow, (id for new in runs for id in new.run.ids())
            )
        submission = Submission(call, route, options, packed, runs, stream, has_large, blobs, origin)
        submission.parent = self.consulted.parents.of(parent)
        self._fresh.append(submission)
        return LATER

    def submit_own(
        self,
        route: Route,
        options: TaskOptions,
        made: Iterable[tuple[bytes, list[bytes]]],
        origin: int | None = None,
    ) -> None:
        """Submit tasks that the master makes itself, with new ids: the first id of consecutive ones, and their payloads."""
        runs = list(starmap(NewRun, made))
        large = _largest(runs) > LARGE_BYTES
        chosen = options.to_wire()
        packed = pack(chosen) if chosen else None
        self._fresh.append(Submission(None, route, options, packed, runs, None, large, origin=origin))

    def park(self, parked: ParkedLease, capability: Capability) -> object:
        """Park a lease call; ``give_out`` answers it when there is work."""
        capability.parked[parked.call] = parked
        parked.call.abandon = lambda: capability.unpark(parked.call)
        return LATER

    # one transaction

    def begin(self) -> None:
        self._work.begin()

    def give_out(self, now: Now) -> None:
        self.settle(now)
        self.serve_parked(now)

    def has_more(self) -> bool:
        return self._has_more

    def settle(self, now: Now) -> None:
        """Write all fresh tasks, those for which a worker waits as leased. Afterwards the store has all submitted tasks."""
        while self._fresh:
            plan = Plan(self._routes, now, self.last_seq, self._new_lease)
            # The sort is stable: within a priority the order of the submits is kept.
            for submission in sorted(self._fresh, key=lambda one: -one.options.priority):
                plan.add(submission)
            if self._store.insert(plan.groups):  # all rows or none
                blocked = [one for one in self._fresh if one.is_blocked]
                self._apply(plan, now)
                for submission in blocked:  # they may end at once: only now they are watched
                    self.consulted.needs.accepted(submission, now)
                break
            self._drop_known()
        repeated, self._repeated = self._repeated, []
        for session, stream, runs in repeated:
            self._subscriptions.watch_known(session, stream, runs)

    def void(self) -> Iterable[Session]:
        """The submits of the failed transaction were refused."""
        self._fresh.clear()
        self._repeated.clear()
        return ()

    def _apply(self, plan: Plan, now: Now) -> None:
        self.last_seq += plan.tasks
        for submission in self._fresh:
            route = submission.route
            # Stored payloads are not measured again: once large, a route stays so until it is empty.
            route.has_large = submission.has_large or (route.has_large and not route.is_empty)
        for route, state, tasks in plan.counts:
            self._routes.count(route, state, tasks)
        if self.meters is not None:
            self.meters.accepted(plan.counts)
        for submission in self._fresh:
            if is_of_flow(submission.origin):
                named = [new.run for new in submission.runs]
                self.consulted.flows.accepted(submission.origin, submission.route.queue.name, named)
            if submission.parent is not None:
                self.consulted.parents.accepted(submission, submission.runs)
            due, at = submission.due(now)
            self._scheduled.expect(due=due, at=at)
            self._expiry.expect(submission.expires(now))
            if submission.blobs:
                self._store.blobs.name(submission.references())
            if submission.call is not None:
                submission.call.answer(submission.tasks)
            if submission.stream is not None and submission.call is not None:
                named = [new.run for new in submission.runs]
                self._subscriptions.expect(submission.call.session, submission.stream, named)
        self._fresh.clear()
        for planned in plan.leases.values():
            self._running.alone.update(planned.running)
            for slice in planned.slices:
                self._running.add(slice)
            self._answer(LeaseReply(planned.parked, planned.lease, planned.groups))

    def serve_parked(self, now: Now) -> None:
        """Lease ready tasks to parked calls, within the share of this transaction; the rest follow in the next."""
        self._has_more = False
        for capability in self._routes.capabilities.values():
            while capability.parked and (routes := self._routes.with_work(capability)):
                if not self._work.is_left:
                    self._has_more = True
                    return
                if any(route.has_large for route in routes):
                    self._serve_measured(next(iter(capability.parked.values())), routes, now)
                else:
                    self._serve(_next_calls(capability), routes, now)

    def _serve_measured(self, parked: ParkedLease, routes: list[Route], now: Now) -> None:
        """Lease to one call as much as its answer can hold."""
        lease = self._new_lease()
        rows = self._store.lease(
            numbers(routes), parked.want, LEASE_BYTES_MAX, lease, parked.worker, now.steady
        )
        if not rows:
            raise Inconsistent(NONE_READY)
        self._work.gave(0, self._give(rows, parked, lease, now))

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
        self._work.gave(0, self._give(rows, parked, want.lease, now))

    def _give(self, rows: list[Leased | LeasedSlice], parked: ParkedLease, lease: bytes, now: Now) -> int:
        """Answer a call with what was leased for it; the bytes of the payloads."""
        if self.meters is not None:
            self.meters.leased(rows, now.steady)
        if self.consulted.needs.are_open:
            rows = self.consulted.needs.carried(rows)
        groups, tasks, size = granted(rows, parked, lease, self._routes, self._running)
        self._work.gave(len(rows), 0)
        self._work.glanced(tasks)
        self._answer(LeaseReply(parked, lease, groups))
        return size

    def _answer(self, reply: LeaseReply) -> None:
        call = reply.parked.call
        if call.abandon is not None:
            call.abandon()  # removes it from the parked calls
            call.abandon = None
        call.answer([reply.lease, reply.groups])

    # ids that exist already: a repeated submit, or a mistake

    def _drop_known(self) -> None:
        """Remove tasks that are stored already from ``_fresh``; refuse calls that contradict a stored task."""
        known: dict[bytes, tuple[int, int | bytes]] = {
            found.id: (found.route, found.seq)
            for found in self._store.find(id for one in self._fresh for id in one.ids())
        }
        kept: list[Submission] = []
        tasks = sum(one.tasks for one in self._fresh)
        for submission in self._fresh:
            try:
                new = new_tasks(submission, known, self._store.payload)
            except TqError as error:
                if submission.call is not None:
                    submission.call.refuse(error)
                continue
            if submission.stream is not None and submission.call is not None:
                old = list(runs_of(id for id in submission.ids() if id not in new))
                # Later: what another call of this transaction submits is not in the store yet.
                self._repeated.append((submission.call.session, submission.stream, old))
            for id, payload in new.items():
                known[id] = (submission.route.number, payload)
            if submission.is_blocked:
                submission.runs = only(submission.runs, new)
            else:
                submission.runs = [NewRun(run.first, [new[id] for id in run.ids()]) for run in runs_of(new)]
            kept.append(submission)
        self._fresh = kept
        if kept and tasks == sum(one.tasks for one in kept):  # without an end, if nothing were changed
            if all(one.as_rows for one in kept):
                raise Inconsistent("insert: the store takes none of these tasks, and knows none of them")
            for submission in kept:
                submission.as_rows = True


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


def _largest(runs: list[NewRun]) -> int:
    """How many bytes the largest payload has."""
    return max((len(max(new.payloads, key=len)) for new in runs), default=0)
