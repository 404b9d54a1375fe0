"""Plans how the tasks submitted in a transaction are written: leased to a worker that waits, or ready or scheduled. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ...common.domain.model import StateNumber, TaskOptions
from ..engine.clock import Now
from ..engine.session import Call
from ..store.interface.tasks import NewTasks
from .leases import PLACE_BYTES, LeasedAttempt, SliceLease
from .routes import Capability, ParkedLease, Route, Routes

LEASE_TASKS_MAX: Final = 2_000  # in one reply: a worker with more would read too far ahead
LEASE_BYTES_MAX: Final = 4 * 1024 * 1024  # of payloads in one reply; a larger payload is sent alone
PLACE_BITS: Final = 8 * PLACE_BYTES
ARRAY_TASKS_MAX: Final = 1_000
ARRAY_BYTES_MAX: Final = 1024 * 1024  # of payloads: an array is read as a whole
AT_ONCE: Final = None, None
RUNNING_STATE, READY_STATE, SCHEDULED_STATE = map(
    int, (StateNumber.RUNNING, StateNumber.READY, StateNumber.SCHEDULED)
)


@dataclass(slots=True)
class Submission:
    """One submit call: tasks that share everything but id and payload."""

    call: Call | None  # None: submitted by the master itself
    route: Route
    options: TaskOptions
    options_packed: bytes | None
    tasks: list[list[bytes]]  # [id, payload]
    stream: str | None
    has_large: bool
    blobs: dict[bytes, list[int]] | None = None  # named by these tasks
    origin: int | None = None
    first_seq: int = 0  # the number before that of its first task
    consecutive: bool = False  # as planned: see ``is_consecutive``
    as_rows: bool = (
        False  # some ids are of an array from which their tasks were purged: no second array may have them
    )

    def due(self, now: Now) -> tuple[int | None, int | None]:
        """When its tasks become ready: a moment of the steady clock, or of the wall clock; neither: immediately."""
        if self.options.at is None:
            delay = int(self.options.delay * 1000)
            return (now.steady + delay if delay else None), None
        at = int(self.options.at * 1000)
        return None, (at if at > now.wall else None)

    def expires(self, now: Now) -> int | None:
        """When its tasks expire, on the steady clock."""
        seconds = self.options.expires
        return None if seconds is None else now.steady + int(seconds * 1000)

    @property
    def is_consecutive(self) -> bool:
        """Whether each id is the one before it plus one, in the part of ids that differs within an array."""
        if len(self.tasks) < 2:
            return False
        ids = [task[0] for task in self.tasks]
        first, last = int.from_bytes(ids[0], "big"), int.from_bytes(ids[-1], "big")
        return (
            last - first == len(ids) - 1
            and first >> PLACE_BITS == last >> PLACE_BITS
            and all(map(operator.lt, ids, ids[1:]))
        )

    def references(self) -> list[tuple[int, int]]:
        """Pairs of a task's row and the content it names."""
        named = self.blobs or {}
        numbered = enumerate(self.tasks, self.first_seq + 1)
        return [(seq, number) for seq, task in numbered for number in named.get(task[0], ())]


@dataclass(slots=True)
class PlannedLease:
    """A parked lease call that a plan fills with tasks."""

    parked: ParkedLease
    lease: bytes
    room: int
    groups: list[list[Any]] = field(default_factory=list)
    running: list[tuple[bytes, LeasedAttempt]] = field(default_factory=list)
    slices: list[SliceLease] = field(default_factory=list)
    bytes_left: int = LEASE_BYTES_MAX

    def upto(self, tasks: list[list[bytes]], start: int, stop: int) -> int:
        """The index at which ``tasks[start:stop]`` must be cut so that the reply fits one frame; counts their bytes."""
        for index in range(start, stop):
            size = len(tasks[index][1])
            if size > self.bytes_left and (index > start or self.groups):
                self.bytes_left = 0
                return index
            self.bytes_left -= size
        return stop


class Placement(NamedTuple):
    """What becomes of tasks of a submission: ready or scheduled in the store, or leased to a worker that waits."""

    state: int
    due: int | None = None  # on the steady clock
    at: int | None = None  # on the wall clock
    lease: PlannedLease | None = None


READY: Final = Placement(READY_STATE)


class Plan:
    """The rows to be written for a transaction's submissions, and the parked calls they answer. A plan has no effect by itself."""

    def __init__(self, routes: Routes, now: Now, last_seq: int, new_lease: Callable[[], bytes]) -> None:
        self._routes, self._now, self._seq, self._new_lease = routes, now, last_seq, new_lease
        self._parked: dict[
            Capability, list[ParkedLease]
        ] = {}  # parked calls with room, the next one at the end
        self.groups: list[NewTasks] = []
        self.tasks = 0
        self.leases: dict[Call, PlannedLease] = {}
        self.counts: list[tuple[Route, int, int]] = []  # route, state, tasks

    def add(self, submission: Submission) -> None:
        """Add a submission. Called in the order in which tasks are to be leased."""
        due, taken = submission.due(self._now), 0
        submission.consecutive = not submission.as_rows and submission.is_consecutive
        submission.first_seq = self._seq
        if due == AT_ONCE and not submission.route.queue.paused:
            taken = self._fill_parked(submission)
        rest = READY if due == AT_ONCE else Placement(SCHEDULED_STATE, *due)
        self._place(submission, taken, len(submission.tasks), rest)
        self._seq += len(submission.tasks)

    def _fill_parked(self, submission: Submission) -> int:
        """Fill parked calls with tasks of a submission; returns how many were taken."""
        taken, wanted = 0, len(submission.tasks)
        for capability in submission.route.capabilities:
            if capability not in self._parked:
                waits = self._routes.with_work(
                    capability
                )  # stored tasks are leased first: leave the parked calls to them
                self._parked[capability] = [] if waits else list(reversed(capability.parked.values()))
            parked_calls = self._parked[capability]
            while taken < wanted and parked_calls:
                parked = parked_calls[-1]
                planned = self.leases.get(parked.call)
                if planned is None:
                    planned = PlannedLease(parked, self._new_lease(), parked.want)
                    self.leases[parked.call] = planned
                upto = min(wanted, taken + planned.room)
                if submission.has_large:
                    upto = planned.upto(submission.tasks, taken, upto)
                self._place(submission, taken, upto, Placement(RUNNING_STATE, lease=planned))
                planned.room -= upto - taken
                taken = upto
                if not planned.room or planned.bytes_left <= 0:
                    parked_calls.pop()
        return taken

    def _place(self, submission: Submission, start: int, stop: int, where: Placement) -> None:
        """Add ``tasks[start:stop]``, as arrays where their ids are consecutive; their numbers follow the order of submission."""
        for first, last in _cut(submission, start, stop):
            self._group(submission, first, last, where)
        if start < stop:
            self.tasks += stop - start
            self.counts.append((submission.route, where.state, stop - start))

    def _group(self, submission: Submission, start: int, stop: int, where: Placement) -> None:
        route, options, now = submission.route, submission.options, self._now
        tasks = (
            submission.tasks if (start, stop) == (0, len(submission.tasks)) else submission.tasks[start:stop]
        )
        rows = [
            (number, task[0], task[1]) for number, task in enumerate(tasks, submission.first_seq + start + 1)
        ]
        array = submission.consecutive and len(rows) > 1
        attempt, lease, worker, started = 0, None, None, None
        if (planned := where.lease) is not None:
            attempt, lease, worker, started = 1, planned.lease, planned.parked.worker, now.steady
            group = [[id, 1, payload] for _, id, payload in rows]
            planned.groups.append([route.queue.name, route.task, options.timeout, group])
            if array:
                run = rows[0][0], rows[-1][0] + 1, rows[0][1], route.number
                planned.slices.append(SliceLease(*run, 1, 1, lease, worker, submission.origin))
            else:
                planned.running += [
                    (id, LeasedAttempt(number, route.number, 1, 1, lease, worker, False, submission.origin))
                    for number, id, _ in rows
                ]
        self.groups.append(
            NewTasks(
                route=route.number,
                state=where.state,
                created=now.steady,
                tasks=rows,
                attempt=attempt,
                lease=lease,
                worker=worker,
                started=started,
                priority=options.priority,
                due=where.due,
                at=where.at,
                expires=submission.expires(now),
                timeout=options.timeout,
                options=submission.options_packed,
                origin=submission.origin,
                array=array,
            )
        )


def _cut(submission: Submission, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where ``tasks[start:stop]`` are cut into what is stored together."""
    if not submission.consecutive or not submission.has_large:
        step = ARRAY_TASKS_MAX if submission.consecutive else max(1, stop - start)
        yield from ((first, min(first + step, stop)) for first in range(start, stop, step))
        return
    first, size = start, 0
    for place in range(start, stop):
        payload_bytes = len(submission.tasks[place][1])
        if place > first and (place - first == ARRAY_TASKS_MAX or size + payload_bytes > ARRAY_BYTES_MAX):
            yield first, place
            first, size = place, 0
        size += payload_bytes
    if first < stop:
        yield first, stop
