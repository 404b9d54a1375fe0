"""From submits and parked lease calls to rows: decides once per transaction which worker gets which task.

::

    submit calls ─► fresh ─┐                      ┌─► rows inserted RUNNING, leased to a waiting worker
                           ├─► plan ─► insert ────┤
    lease calls ─► parked ─┘     ▲        │       └─► rows inserted READY or SCHEDULED
                                 └────────┘ an id exists already: drop it, plan again
    then: lanes with ready rows ─► store.lease ─► the calls still parked (see parked.py)

A task for which a worker already waits is written once, as leased, instead of inserted, found and updated.

Invariants: 1. a plan has no effect until its insert succeeded; 2. a lease leaves only in the reply that
follows the commit of its row; 3. ready rows in the store are leased before fresh ones of the same capability.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import starmap
from typing import Any, Final

from ...common.domain.columns import NO_COLUMNS, LaneColumns
from ...common.domain.id_runs import IdRun, runs_of
from ...common.domain.model import TaskOptions
from ...common.errors import InvalidArgument, TqError
from ...common.values.brief import brief
from ...common.wire.frames import pack
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.refusals import voids
from ..engine.session import LATER, Session
from ..store.interface.store import Inconsistent, Picture, Store
from .consulted import Consulted
from .expiry import Expiry
from .judging import LARGE_BYTES, SubmitJudge, largest
from .kept_handler import KeptHandler
from .known_tasks import new_tasks
from .leases import LeasedTasks, LeaseReply
from .meter import TaskMeter
from .origins import is_of_flow
from .parked import ParkedCalls, answer
from .plan import Plan, Submission, SubmitCall
from .route import PLAIN, Capability, LaneKey, ParkedLease, Queue, Route, packed_placing
from .routes import Routes
from .said_lanes import SaidLanes, with_lanes
from .scheduled import ScheduledTasks
from .submitted import NewRun, new_runs, only
from .subscriptions import Subscriptions
from .unique_call import unique_call

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
        self._new_lease = new_lease
        self.parked = ParkedCalls(store, routes, running, consulted, new_lease)
        self.meters: TaskMeter | None = None
        self.consulted = consulted
        self.judge = SubmitJudge(routes, subscriptions, consulted, payload_bytes_max)
        self._fresh: list[Submission] = []
        self._unwritten = Counter[Queue]()  # of those, how many are for queues with a bound
        self._repeated: list[
            tuple[Session, str, list[IdRun]]
        ] = []  # watches of tasks that another submit makes
        self.last_seq = 0

    def load(self, picture: Picture, now: Now) -> None:
        self.last_seq = picture.last_seq

    # calls

    def submit(self, said: SubmitCall, route: Route, tasks: Any) -> object:
        """Note the tasks; the call is answered by ``settle`` with the number that were new."""
        if not isinstance(tasks, list):
            raise InvalidArgument(f"tasks must be a list of [id, payload], not {brief(tasks, 80)}")
        runs = new_runs(tasks, SUBMIT_TASKS_MAX)
        if said.unique is not None:
            said = said._replace(same=unique_call(said.unique, runs))
        # Only those pay for the look at what is new, which a bound needs before the write.
        if route.queue.maxsize or self.consulted.quotas.owner(said.call.session.verifier.key_id):
            return self.consulted.bounds.submit(said, runs)
        return self.accept(self.judge.submission(said, route, runs))

    def accept(self, submission: Submission) -> object:
        """Tasks that were judged are written by ``settle``, but for those of which there are others that are the same."""
        if submission.same is not None and not self.consulted.uniques.admits(submission, submission.same):
            return LATER
        if submission.owner:
            self.consulted.quotas.noted(submission)
        queue = submission.route.queue
        if queue.maxsize:
            self._unwritten[queue] += submission.tasks
        self._fresh.append(submission)
        return LATER

    def room_in(self, queue: Queue) -> int:
        """How many tasks may be submitted to a queue with a bound in this moment; SUBMIT_TASKS_MAX if it has none any more."""
        return queue.maxsize - queue.waiting - self._unwritten[queue] if queue.maxsize else SUBMIT_TASKS_MAX

    def submit_own(
        self,
        route: Route,
        options: TaskOptions,
        made: Iterable[tuple[bytes, list[bytes]]],
        origin: int | None = None,
        said: LaneColumns = NO_COLUMNS,
        key: str = "",
    ) -> None:
        """Submit tasks that the master makes itself, with new ids: the first id of consecutive ones, and their payloads. ``said``: their
        limits, tenant and handler, as they were declared, with one key for all. ``key``: by whose rights they are made."""
        runs = list(starmap(NewRun, made))
        large = largest(runs) > LARGE_BYTES
        chosen = options.to_wire()
        packed = pack(chosen) if chosen else None
        lane = LaneKey(
            needs=packed_placing(options),
            has_deadline=options.deadline is not None,
            owner=self.consulted.quotas.owner(key),
        )
        said = said.of_tenant(self.consulted.keys.tenant_of(key))
        if said != NO_COLUMNS:
            if said.on_failure is not None:
                lane = lane._replace(handler=KeptHandler(key, said.on_failure).packed())
            if said.coalesce is not None:
                calls, ms = said.coalesce.to_wire()
                lane = lane._replace(coalesce=(calls, ms))
            for limit, _ in said.limits:
                self.consulted.limits.declare_again(limit, key)
            route, runs = with_lanes(self._routes, route, runs, SaidLanes.of(said), lane, None)
        elif lane != PLAIN:
            route = self._routes.lane(route, lane)
        # No call and no bound: see full_queues.py for why the master's own tasks never wait.
        self._fresh.append(Submission(None, route, options, packed, runs, None, large, origin=origin))

    def park(self, parked: ParkedLease, capability: Capability) -> object:
        """Park a lease call; ``give_out`` answers it when there is work."""
        capability.parked[parked.call] = parked
        if not parked.waits:
            self.parked.looks.append((parked, capability))
        # A worker that is gone must not be leased to.
        parked.call.abandon = lambda: capability.unpark(parked.call)
        return LATER

    # one transaction

    def begin(self) -> None:
        self.parked.begin()

    def give_out(self, now: Now) -> None:
        self.settle(now)
        if self._routes.arrived:  # of what became ready strikes may hold some
            self.consulted.struck.compare_arrived()
        self.parked.serve(now)

    def has_more(self) -> bool:
        return self.parked.has_more

    def settle(self, now: Now) -> None:
        """Write all fresh tasks, those for which a worker waits as leased. Afterwards the store has all submitted tasks."""
        if self._fresh and self.consulted.struck.on_tasks:
            self.consulted.struck.divide(self._fresh, now)
        while self._fresh:
            # A new one each time round: a plan that was not inserted has no effect.
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
        self._unwritten.clear()  # also if all were refused, and nothing was written
        self.consulted.quotas.dropped()
        self.consulted.uniques.dropped()
        repeated, self._repeated = self._repeated, []
        for session, stream, runs in repeated:
            self._subscriptions.watch_known(session, stream, runs)

    def void(self) -> Iterable[Session]:
        """The submits of the failed transaction were refused."""
        self._fresh.clear()
        self._unwritten.clear()
        self.consulted.quotas.dropped()
        self.consulted.uniques.dropped()
        self._repeated.clear()
        return ()

    def _apply(self, plan: Plan, now: Now) -> None:
        # Only now: numbers of a plan that was not inserted are given by the next one.
        self.last_seq += plan.tasks
        for submission in self._fresh:
            for route in submission.lanes() if submission.has_lanes else (submission.route,):
                # Stored payloads are not measured again: once large, a lane stays so until it is empty.
                route.has_large = submission.has_large or (route.has_large and not route.is_empty)
        for route, state, tasks in plan.counts:
            self._routes.count(route, state, tasks)
        for one, state in plan.mixed:
            self._routes.mixed.accepted(one, state)
        if self.meters is not None:
            self.meters.accepted(plan.counts)
        for submission in self._fresh:
            if submission.owner:
                self.consulted.quotas.written(submission)
            if submission.same is not None:
                self.consulted.uniques.written(submission, submission.same)
            if is_of_flow(submission.origin):
                of_flow = submission.origin, submission.route.queue.name
                self.consulted.flows.accepted(*of_flow, submission.id_runs())
            if submission.parent is not None:
                self.consulted.parents.accepted(submission)
            due, at = submission.due(now)
            self._scheduled.expect(due=due, at=at)
            self._expiry.expect(submission.expires(now))
            if submission.blobs:
                self._store.blobs.name(submission.references())
            if submission.call is not None:
                # Not sent before the commit: the call holds it.
                submission.call.answer(submission.answer())
            if submission.stream is not None and submission.session is not None:
                self._subscriptions.expect(submission.session, submission.stream, submission.id_runs())
        self._fresh.clear()
        for planned in plan.leases.values():
            if planned.running:
                self._running.add_plain(planned.parked.worker, planned.running)
            for slice in planned.slices:
                self._running.add(slice)
            answer(LeaseReply(planned.parked, planned.lease, planned.groups))

    # ids that exist already: a repeated submit, or a mistake

    def _drop_known(self) -> None:
        """Remove tasks that are stored already from ``_fresh``; refuse calls that contradict a stored task."""
        known: dict[bytes, tuple[int, int | bytes]] = {
            found.id: (self._routes.by_number[found.route].plain.number, found.seq)
            for found in self._store.find(id for one in self._fresh for id in one.ids())
        }
        kept: list[Submission] = []
        tasks = sum(one.tasks for one in self._fresh)
        for submission in self._fresh:
            try:
                new = new_tasks(submission, known, self._store.payload)
            except TqError as error:
                if voids(error):
                    raise
                if submission.call is not None:
                    submission.call.refuse(error)
                continue
            if submission.stream is not None and submission.session is not None:
                old = list(runs_of(id for id in submission.ids() if id not in new))
                # Later: what another call of this transaction submits is not in the store yet.
                self._repeated.append((submission.session, submission.stream, old))
            for id, payload in new.items():
                # Two calls of this transaction may bring the same id: the second one meets the first here.
                known[id] = (submission.route.plain.number, payload)
            # Their runs carry more than payloads: what is left keeps it.
            if submission.is_blocked or submission.has_lanes or submission.is_indexed:
                submission.runs = only(submission.runs, new)
            else:
                submission.runs = [NewRun(run.first, [new[id] for id in run.ids()]) for run in runs_of(new)]
            kept.append(submission)
        self._fresh = kept
        if kept and tasks == sum(one.tasks for one in kept):  # without an end, if nothing were changed
            if all(one.as_rows for one in kept):
                raise Inconsistent("insert: the store takes none of these tasks, and knows none of them")
            for submission in kept:
                # Their ids are free, and the range of ids is not: an array whose tasks were purged still has it.
                submission.as_rows = True
