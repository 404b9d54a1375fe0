"""From submits and parked lease calls to rows: who gets what, decided once per transaction.

::

    submit calls ─► fresh ─┐                      ┌─► rows inserted RUNNING, straight to a waiting worker
                           ├─► plan ─► insert ────┤
    lease calls ─► parked ─┘     ▲        │       └─► rows inserted READY or SCHEDULED
                                 └────────┘ some id was there: drop it, plan again
    then: lanes with ready rows ─► store.lease ─► the calls still parked

A task that a worker already waits for is written once, leased, instead of inserted, found and updated.

Invariants: 1. a plan has no effect until its insert succeeded; 2. a lease leaves only in the reply that
follows the commit of its row; 3. ready rows in the store go before fresh ones of the same capability.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ...common.domain.ids import COMPUTED, PROOF_BYTES, id_of_proof, show_id
from ...common.domain.model import TASK_ID_BYTES, StateNumber, TaskOptions
from ...common.errors import InvalidArgument, TaskConflict, TqError
from ...common.wire.frames import pack, too_large
from ..engine.clock import Now
from ..engine.session import LATER, Call
from ..engine.work import Work
from ..observe.meters import Meters
from ..store.interface.store import Inconsistent, Store
from ..store.interface.tasks import NewTasks
from .dues import Dues
from .leases import Grant, Running
from .routes import Capability, Lane, Lanes, ParkedLease, numbers
from .subscriptions import Watches

LEASE_TASKS_MAX: Final = 2_000  # in one reply: a worker that asks for more reads ahead too far
LEASE_BYTES_MAX: Final = 4 * 1024 * 1024  # of payloads in one reply; a larger one travels alone
LARGE_BYTES: Final = LEASE_BYTES_MAX // LEASE_TASKS_MAX  # smaller payloads cannot fill a reply: not measured
SUBMIT_TASKS_MAX: Final = 10_000  # in one call: bounds the time others wait for its transaction
AT_ONCE: Final = None, None
RUNNING_STATE, READY_STATE, SCHEDULED_STATE = map(
    int, (StateNumber.RUNNING, StateNumber.READY, StateNumber.SCHEDULED)
)


@dataclass(slots=True)
class Submission:
    """One submit call: tasks that share everything but id and payload."""

    call: Call | None  # None: the master's own
    lane: Lane
    options: TaskOptions
    options_packed: bytes | None
    tasks: list[list[bytes]]  # [id, payload]
    stream: str | None
    has_large: bool
    blobs: dict[bytes, list[int]] | None = None  # named by these tasks
    origin: int | None = None
    first_seq: int = 0  # that of its first task, less one

    def due(self, now: Now) -> tuple[int | None, int | None]:
        """When it becomes ready: on the steady clock, or at an instant of the wall's; neither: at once."""
        if self.options.at is None:
            delay = int(self.options.delay * 1000)
            return (now.steady + delay if delay else None), None
        at = int(self.options.at * 1000)
        return None, (at if at > now.wall else None)

    def expires(self, now: Now) -> int | None:
        """When it expires, on the steady clock."""
        seconds = self.options.expires
        return None if seconds is None else now.steady + int(seconds * 1000)

    def references(self) -> list[tuple[int, int]]:
        """Which row names which content."""
        named = self.blobs or {}
        numbered = enumerate(self.tasks, self.first_seq + 1)
        return [(seq, number) for seq, task in numbered for number in named.get(task[0], ())]


@dataclass(slots=True)
class _Handover:
    """A parked lease call that a plan fills."""

    parked: ParkedLease
    lease: bytes
    room: int
    groups: list[list[Any]] = field(default_factory=list)
    running: list[tuple[bytes, Running]] = field(default_factory=list)
    bytes_left: int = LEASE_BYTES_MAX

    def upto(self, tasks: list[list[bytes]], start: int, stop: int) -> int:
        """Where ``tasks[start:stop]`` have to be cut so that the reply stays a frame; takes their bytes."""
        for index in range(start, stop):
            size = len(tasks[index][1])
            if size > self.bytes_left and (index > start or self.groups):
                self.bytes_left = 0
                return index
            self.bytes_left -= size
        return stop


@dataclass(slots=True)
class _Plan:
    groups: list[NewTasks] = field(default_factory=list)
    tasks: int = 0
    handovers: dict[Call, _Handover] = field(default_factory=dict)
    counts: list[tuple[Lane, int, int]] = field(default_factory=list)  # lane, state, tasks


class Intake:
    """Holds a transaction's submits until ``settle``, and everybody's parked lease calls."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        running: dict[bytes, Running],
        watches: Watches,
        work: Work,
        new_lease: Callable[[], bytes],
        payload_bytes_max: int,
    ) -> None:
        self._store, self._lanes, self._running, self._watches = store, lanes, running, watches
        self._work = work
        self.has_more = False  # leases that could be given out were put off
        self._new_lease, self._payload_bytes_max = new_lease, payload_bytes_max
        self.meters: Meters | None = None
        self._fresh: list[Submission] = []
        self.last_seq = 0
        self.dues = Dues(store, lanes)

    # what calls ask for

    def submit(
        self,
        call: Call,
        lane: Lane,
        options: TaskOptions,
        tasks: Any,
        stream: str | None,
        blobs: dict[bytes, list[int]] | None = None,
        proofs: Any = None,
    ) -> object:
        """Note the tasks; the call is answered by ``settle`` with the number that were new."""
        if not isinstance(tasks, list) or len(tasks) > SUBMIT_TASKS_MAX:
            raise InvalidArgument(f"tasks must be a list of at most {SUBMIT_TASKS_MAX:,} [id, payload]")
        if not _are_tasks(tasks):
            raise InvalidArgument(f"a task is [id, payload], {TASK_ID_BYTES} and any number of bytes")
        if tasks and max(tasks)[0] >= COMPUTED:
            _check_computed(lane, tasks, proofs)
        if stream is not None:
            self._watches.check_room(call.session, stream, len(tasks))
        chosen = options.to_wire()
        packed = pack(chosen) if chosen else None
        largest = max((len(payload) for _, payload in tasks), default=0)
        if largest > self._payload_bytes_max:
            raise InvalidArgument(too_large("the arguments have", largest, self._payload_bytes_max))
        has_large = largest > LARGE_BYTES
        self._fresh.append(Submission(call, lane, options, packed, tasks, stream, has_large, blobs))
        return LATER

    def take_in(self, lane: Lane, options: TaskOptions, tasks: list[list[bytes]], origin: int) -> None:
        """Tasks that the master makes itself, with new ids."""
        large = any(len(payload) > LARGE_BYTES for _, payload in tasks)
        chosen = options.to_wire()
        packed = pack(chosen) if chosen else None
        self._fresh.append(Submission(None, lane, options, packed, tasks, None, large, origin=origin))

    def park(self, parked: ParkedLease, capability: Capability) -> object:
        """A lease call stands in line; ``settle`` answers it when there is work."""
        capability.parked[parked.call] = parked
        parked.call.abandon = lambda: capability.unpark(parked.call)
        return LATER

    # what a transaction does with it

    def settle(self, now: Now) -> None:
        """Write all fresh tasks, those that are wanted as given out. Afterwards the store knows everything."""
        while self._fresh:
            plan = self._plan(now)
            if self._store.insert(plan.groups):
                self._apply(plan, now)
                break
            self._drop_known()

    def forget(self) -> None:
        """The transaction failed: its submits were refused, nothing of them remains."""
        self._fresh.clear()

    def _plan(self, now: Now) -> _Plan:
        plan = _Plan()
        lines: dict[Capability, list[ParkedLease]] = {}
        seq = self.last_seq
        for submission in sorted(self._fresh, key=lambda one: -one.options.priority):
            due = submission.due(now)
            submission.first_seq, taken = seq, 0
            if due == AT_ONCE and not submission.lane.queue.paused:
                taken = self._hand_over(plan, submission, lines, seq, now)
            state = READY_STATE if due == AT_ONCE else SCHEDULED_STATE
            self._rows(plan, submission, taken, len(submission.tasks), seq, state, None, now, due)
            seq += len(submission.tasks)
        return plan

    def _hand_over(
        self,
        plan: _Plan,
        submission: Submission,
        lines: dict[Capability, list[ParkedLease]],
        seq: int,
        now: Now,
    ) -> int:
        """Fill parked calls from a submission; how many of its tasks were taken."""
        taken, wanted = 0, len(submission.tasks)
        for capability in submission.lane.capabilities:
            if capability not in lines:
                waits = self._lanes.with_work(capability)  # stored tasks go first: leave the calls to them
                lines[capability] = [] if waits else list(reversed(capability.parked.values()))
            line = lines[capability]
            while taken < wanted and line:
                parked = line[-1]
                handover = plan.handovers.get(parked.call)
                if handover is None:
                    handover = _Handover(parked, self._new_lease(), parked.want)
                    plan.handovers[parked.call] = handover
                upto = min(wanted, taken + handover.room)
                if submission.has_large:
                    upto = handover.upto(submission.tasks, taken, upto)
                self._rows(plan, submission, taken, upto, seq, RUNNING_STATE, handover, now, AT_ONCE)
                handover.room -= upto - taken
                taken = upto
                if not handover.room or handover.bytes_left <= 0:
                    line.pop()
        return taken

    def _rows(
        self,
        plan: _Plan,
        submission: Submission,
        start: int,
        stop: int,
        seq: int,
        state: int,
        handover: _Handover | None,
        now: Now,
        due: tuple[int | None, int | None],
    ) -> None:
        """Rows for ``tasks[start:stop]``; seq numbers follow the order of submission."""
        if start == stop:
            return
        lane, options = submission.lane, submission.options
        tasks = (
            submission.tasks if (start, stop) == (0, len(submission.tasks)) else submission.tasks[start:stop]
        )
        rows = [(number, task[0], task[1]) for number, task in enumerate(tasks, seq + start + 1)]
        attempt, lease, worker, started = 0, None, None, None
        if handover is not None:
            attempt, lease, worker, started = 1, handover.lease, handover.parked.worker, now.steady
            group = [[id, 1, payload] for _, id, payload in rows]
            handover.groups.append([lane.queue.name, lane.task, options.timeout, group])
            handover.running += [
                (id, Running(number, lane.number, 1, 1, lease, worker, False, submission.origin))
                for number, id, _ in rows
            ]
        plan.groups.append(
            NewTasks(
                lane=lane.number,
                state=state,
                created=now.steady,
                tasks=rows,
                attempt=attempt,
                lease=lease,
                worker=worker,
                started=started,
                priority=options.priority,
                due=due[0],
                at=due[1],
                expires=submission.expires(now),
                timeout=options.timeout,
                options=submission.options_packed,
                origin=submission.origin,
            )
        )
        plan.tasks += stop - start
        plan.counts.append((lane, state, stop - start))

    def _apply(self, plan: _Plan, now: Now) -> None:
        self.last_seq += plan.tasks
        for submission in self._fresh:
            lane = submission.lane
            lane.has_large = submission.has_large or (lane.has_large and not lane.is_empty)
        for lane, state, tasks in plan.counts:
            self._lanes.count(lane, state, tasks)
        if self.meters is not None:
            self.meters.accepted(plan.counts)
        for submission in self._fresh:
            due, at = submission.due(now)
            self.dues.expect(due=due, at=at, expires=submission.expires(now))
            if submission.blobs:
                self._store.blobs.name(submission.references())
            if submission.call is not None:
                submission.call.answer(len(submission.tasks))
            if submission.stream is not None and submission.call is not None:
                ids = [task[0] for task in submission.tasks]
                self._watches.expect(submission.call.session, submission.stream, ids)
        self._fresh.clear()
        for handover in plan.handovers.values():
            self._running.update(handover.running)
            self._grant(Grant(handover.parked, handover.lease, handover.groups))

    def feed_parked(self, now: Now) -> None:
        """Give out what is ready to those who wait for it: as many as this transaction has room for; the rest in the next."""
        self._lanes.look_for_routes()
        self._lanes.forget_idle()
        self.has_more = self._lanes.has_more
        for capability in self._lanes.capabilities.values():
            while capability.parked and (lanes := self._lanes.with_work(capability)):
                if not self._work.is_left:
                    self.has_more = True
                    return
                parked, lease = next(iter(capability.parked.values())), self._new_lease()
                bytes_max = LEASE_BYTES_MAX if any(lane.has_large for lane in lanes) else None
                rows = self._store.lease(
                    numbers(lanes), parked.want, bytes_max, lease, parked.worker, now.steady
                )
                if not rows:
                    raise Inconsistent("lease: the store has no ready task where the engine counts some")
                self._work.gave(len(rows), sum(len(row.payload) for row in rows) if bytes_max else 0)
                if self.meters is not None:
                    self.meters.leased(rows, now.steady)
                groups: list[list[Any]] = []
                last: tuple[int, float | None] | None = None
                for row in rows:
                    if (row.lane, row.timeout) != last:
                        last = (row.lane, row.timeout)
                        lane = self._lanes.by_number[row.lane]
                        groups.append([lane.queue.name, lane.task, row.timeout, []])
                    suspect = row.crashes > 0
                    number = row.attempt - row.returned
                    entry = [row.id, row.attempt, row.payload]
                    if suspect or row.returned:
                        entry += [suspect, number]
                    groups[-1][3].append(entry)
                    self._running[row.id] = Running(
                        row.seq, row.lane, row.attempt, number, lease, parked.worker, suspect, row.origin
                    )
                    self._lanes.move(row.lane, READY_STATE, RUNNING_STATE)
                self._grant(Grant(parked, lease, groups))

    def _grant(self, grant: Grant) -> None:
        call = grant.parked.call
        if call.abandon is not None:
            call.abandon()  # out of the line
            call.abandon = None
        call.answer([grant.lease, grant.groups])

    # an id was there before: a repeated submit, or a mistake

    def _drop_known(self) -> None:
        """Take out of ``fresh`` what is stored already; refuse the calls that contradict it."""
        known: dict[bytes, tuple[int, int | bytes]] = {
            found.id: (found.lane, found.seq)
            for found in self._store.find(task[0] for one in self._fresh for task in one.tasks)
        }
        kept: list[Submission] = []
        for submission in self._fresh:
            try:
                new = self._new_tasks(submission, known)
            except TqError as error:
                if submission.call is not None:
                    submission.call.refuse(error)
                continue
            if submission.stream is not None and submission.call is not None:
                fresh_ids = {task[0] for task in new}
                old = [task[0] for task in submission.tasks if task[0] not in fresh_ids]
                self._watches.watch_known(submission.call.session, submission.stream, old)
            for id, payload in new:
                known[id] = (submission.lane.number, payload)
            submission.tasks = new
            kept.append(submission)
        self._fresh = kept

    def _new_tasks(
        self, submission: Submission, known: dict[bytes, tuple[int, int | bytes]]
    ) -> list[list[bytes]]:
        """``known``: the lane, and the payload or the number of the row that has it."""
        new: dict[bytes, bytes] = {}
        for id, payload in submission.tasks:
            before = known.get(id) or ((submission.lane.number, new[id]) if id in new else None)
            if before is None:
                new[id] = payload
                continue
            lane, kept = before
            if lane != submission.lane.number or payload != (
                kept if isinstance(kept, bytes) else self._store.payload(kept)
            ):
                raise TaskConflict(
                    f"task {show_id(id)} was submitted before with another name, queue or arguments; "
                    "use another key, or none"
                )
        return [[id, payload] for id, payload in new.items()]


def _check_computed(lane: Lane, tasks: list[list[bytes]], proofs: Any) -> None:
    """Ids that can be computed are taken only with the proof that they were, for this queue: or whoever may use another
    queue could take the id before its owner does."""
    shown: dict[bytes, bytes] = {}
    match proofs:
        case list() if all(
            type(one) is list and len(one) == 2 and set(map(type, one)) == {bytes} for one in proofs
        ):
            shown.update(proofs)
        case None:
            pass
        case _:
            raise InvalidArgument("proofs are a list of [id, proof], both bytes")
    for id, _ in tasks:
        if id < COMPUTED:
            continue
        proof = shown.get(id, b"")
        if len(proof) != PROOF_BYTES or id_of_proof(lane.queue.name, lane.task, proof) != id:
            raise InvalidArgument(
                f"the id {show_id(id)} is of a task with a key, and not of {lane.task} in queue {lane.queue.name} with the key "
                "whose proof came with it; other ids begin with less than ffffffff"
            )


def _are_tasks(tasks: list[Any]) -> bool:
    """Whether each is ``[id, payload]``. Judged in columns: a look at each task by itself costs ten times more."""
    if not tasks:
        return True
    if set(map(type, tasks)) != {list} or set(map(len, tasks)) != {2}:
        return False
    ids, payloads = zip(*tasks, strict=True)
    return set(map(type, ids)) == {bytes} == set(map(type, payloads)) and set(map(len, ids)) == {
        TASK_ID_BYTES
    }
