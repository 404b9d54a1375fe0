"""Plans how the tasks submitted in a transaction are written: leased to a worker that waits, or ready or scheduled. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ...common.domain.id_runs import IdRun, joined_runs
from ...common.domain.ids import id_behind
from ...common.domain.model import UNIX_SECONDS_MIN, ResultPolicy, StateNumber, TaskOptions
from ...common.domain.on_full import WAIT
from ...common.domain.unique import UniqueTerms
from ...common.wire.frames import pack
from ..engine.clock import Now
from ..engine.session import Call, Session
from ..store.interface.tasks import NewArray, NewTasks
from .kept_index import packed_index
from .leases import LeasedAttempt, SliceLease
from .mixed import MixedArray, Mixture
from .route import Capability, ParkedLease, Route
from .routes import Routes
from .submitted import NewRun
from .unique_call import UniqueCall

LEASE_TASKS_MAX: Final = 2_000  # in one reply: a worker with more would read too far ahead
LEASE_BYTES_MAX: Final = 4 * 1024 * 1024  # of payloads in one reply; a larger payload is sent alone
ARRAY_TASKS_MAX: Final = 1_000
ARRAY_BYTES_MAX: Final = 1024 * 1024  # of payloads: an array is read as a whole
AT_ONCE: Final = None, None
RUNNING_STATE, READY_STATE, SCHEDULED_STATE, BLOCKED_STATE = map(
    int, (StateNumber.RUNNING, StateNumber.READY, StateNumber.SCHEDULED, StateNumber.BLOCKED)
)


class SubmitCall(NamedTuple):
    """What a submit says besides its tasks. ``blobs``: looks up the content that they name."""

    call: Call
    queue: str
    task: str
    options: TaskOptions
    stream: str | None
    blobs: Callable[[], dict[bytes, list[int]]] | None
    proofs: Any
    flow: bytes | None
    parent: Any
    columns: Any = None
    on_full: str = WAIT
    unique: UniqueTerms | None = None
    same: UniqueCall | None = None  # the same with the key of each task, once these are read


@dataclass(slots=True)
class Submission:
    """One submit call: tasks that share everything but id and payload."""

    call: Call | None  # None: submitted by the master itself
    route: Route
    options: TaskOptions
    options_packed: bytes | None
    runs: list[NewRun]
    stream: str | None
    has_large: bool
    blobs: dict[bytes, list[int]] | None = None  # named by these tasks
    origin: int | None = None
    parent: bytes | None = None  # the task that submitted them: see parents.py
    same: UniqueCall | None = None  # tasks that are stored unless there are others with their keys
    session: Session | None = None  # that watches them, by ``stream``
    stored_before: int = 0  # tasks of the same call that were new
    first_seq: int = 0  # the number before that of its first task
    is_divided: bool = False  # what strikes hold stands apart, so that its runs are parts of those that came
    # Some ids are of an array from which their tasks were purged: no second array may have them
    as_rows: bool = False

    @property
    def is_blocked(self) -> bool:
        """Whether its tasks wait for others."""
        return bool(self.runs) and self.runs[0].needs is not None

    def due(self, now: Now) -> tuple[int | None, int | None]:
        """When its tasks become ready: a moment of the steady clock, or of the wall clock; neither: immediately, or when what
        they need has ended."""
        if self.is_blocked:
            return AT_ONCE
        if self.options.at is None:
            delay = int(self.options.delay * 1000)
            return (now.steady + delay if delay else None), None
        # An instant that has passed is now, and does not go through the table of what waits for a time.
        at = int(self.options.at * 1000)
        return None, (at if at > now.wall else None)

    def state(self, now: Now) -> int:
        """Of its tasks that no worker waits for."""
        if self.is_blocked:
            return BLOCKED_STATE
        return READY_STATE if self.due(now) == AT_ONCE else SCHEDULED_STATE

    def answer(self) -> Any:
        """Of its call: how many tasks were new, or which others are there instead."""
        stored = self.stored_before + self.tasks
        return stored if self.same is None else self.same.answer(stored)

    def deadline(self, now: Now) -> int | None:
        """When its tasks should have ended, on the steady clock."""
        seconds = self.options.deadline
        if seconds is None:
            return None
        shift = now.wall if seconds >= UNIX_SECONDS_MIN else 0
        return now.steady + int(seconds * 1000) - shift

    def expires(self, now: Now) -> int | None:
        """When its tasks expire, on the steady clock."""
        seconds = self.options.expires
        return None if seconds is None else now.steady + int(seconds * 1000)

    @property
    def tasks(self) -> int:
        return sum(len(new.payloads) for new in self.runs)

    @property
    def size(self) -> int:
        """The bytes of the arguments."""
        return sum(len(payload) for new in self.runs for payload in new.payloads)

    @property
    def owner(self) -> str:
        """The key whose quota its tasks count for; empty: none."""
        lane = self.runs[0].lane if self.runs else None
        return (lane or self.route).key.owner

    @property
    def has_lanes(self) -> bool:
        """Whether its tasks say their lane run by run."""
        return bool(self.runs) and self.runs[0].lane is not None

    @property
    def is_indexed(self) -> bool:
        """Whether each of its tasks has arguments by which it is found."""
        return bool(self.runs) and self.runs[0].indexed is not None

    def options_of(self, new: NewRun, place: int) -> bytes | None:
        """Of one task that is stored by itself: what an array says of each of its tasks is said by its tags."""
        if new.indexed is None:
            return self.options_packed
        tags = {**dict(self.options.tags), **new.indexed.at(place)}
        return pack({**self.options.to_wire(), "tags": tags}) if tags else self.options_packed

    def lanes(self) -> Collection[Route]:
        lanes = {new.lane or self.route for new in self.runs}
        return lanes.union(*(new.mixture.lanes for new in self.runs if new.mixture is not None))

    def id_runs(self) -> list[IdRun]:
        """As they came, each new one."""
        runs = [new.run for new in self.runs]
        return joined_runs(runs) if self.is_divided else runs

    def ids(self) -> Iterator[bytes]:
        return (id for new in self.runs for id in new.run.ids())

    def references(self) -> list[tuple[int, int]]:
        """Pairs of a task's row and the content it names."""
        named = self.blobs or {}
        numbered = enumerate(self.ids(), self.first_seq + 1)
        return [(seq, number) for seq, id in numbered for number in named.get(id, ())]


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
    _granted: Submission | None = None  # that the last group is of

    def grant(self, submission: Submission, lane: int, seq: int, id: bytes, payloads: list[bytes]) -> None:
        """Add tasks with consecutive ids."""
        route, origin, worker = submission.route, submission.origin, self.parked.worker
        # Only successes are dropped without a look at options: failures read them anyway.
        drops = submission.options.result != ResultPolicy.ALL
        # Tasks of one submission share names and timeout: written once in the answer.
        if not self.groups or self._granted is not submission:
            self._granted = submission
            self.groups.append([route.queue.name, route.task, submission.options.timeout, []])
        if len(payloads) == 1:
            # Attempt 1, never suspect: it has just been submitted.
            self.groups[-1][3].append([id, 1, payloads[0]])
            held = LeasedAttempt(seq, lane, 1, 1, self.lease, worker, False, origin, None, drops)
            self.running.append((id, held))
        else:
            self.groups[-1][3].append([id, 1, payloads])
            where = seq, seq + len(payloads), id, lane
            self.slices.append(SliceLease(*where, 1, 1, self.lease, worker, origin, drops=drops))

    def upto(self, payloads: list[bytes], start: int, stop: int) -> int:
        """The index at which ``payloads[start:stop]`` must be cut so that the reply fits one frame; counts their bytes."""
        for index in range(start, stop):
            size = len(payloads[index])
            # Alone it goes in any case: larger than an answer, it would never be leased.
            if size > self.bytes_left and (index > start or self.groups):
                self.bytes_left = 0
                return index
            self.bytes_left -= size
        return stop


@dataclass(slots=True)
class _Written:
    """A submission that is being planned."""

    submission: Submission
    lane: Route
    state: int  # of those that no worker waits for
    due: tuple[int | None, int | None]
    expires: int | None
    # Written as rows, together; by the lease that they are granted with, and their options.
    singles: dict[tuple[bytes, bytes | None], list[tuple[int, bytes, bytes]]] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)  # by state


class _WrittenLanes(dict[Route, _Written]):
    """Of one submission, by lane."""

    def __init__(
        self, submission: Submission, state: int, due: tuple[int | None, int | None], expires: int | None
    ) -> None:
        self.submission, self._shared = submission, (state, due, expires)

    def __missing__(self, lane: Route) -> _Written:
        written = self[lane] = _Written(self.submission, lane, *self._shared)
        return written


class Plan:
    """The rows to be written for a transaction's submissions, and the parked calls they answer. A plan has no effect by itself."""

    def __init__(self, routes: Routes, now: Now, last_seq: int, new_lease: Callable[[], bytes]) -> None:
        self._routes, self._now, self._seq, self._new_lease = routes, now, last_seq, new_lease
        self._parked: dict[
            Capability, list[ParkedLease]
        ] = {}  # parked calls with room, the next one at the end
        self.groups: list[NewTasks | NewArray] = []
        self.tasks = 0
        self.leases: dict[Call, PlannedLease] = {}
        self.counts: list[tuple[Route, int, int]] = []  # route, state, tasks
        self.mixed: list[tuple[MixedArray, int]] = []  # and the state of their tasks

    def add(self, submission: Submission) -> None:
        """Add a submission. Called in the order in which tasks are to be leased."""
        # Its references to blobs are written by number, after the insert.
        submission.first_seq = self._seq
        due = submission.due(self._now)
        may_run = due == AT_ONCE and not submission.route.queue.paused and not submission.is_blocked
        state = submission.state(self._now)
        expires = submission.expires(self._now)
        lanes = _WrittenLanes(submission, state, due, expires)
        for new in submission.runs:
            # Mixed arrays are stored first and leased in the turns of their lanes.
            if new.mixture is not None:
                self._write_mixed(lanes, new, new.mixture)
                self._seq += len(new.payloads)
                continue
            lane = new.lane or submission.route
            written = lanes[lane]
            # What a lane may hold back is stored first.
            taken = (
                self._fill_parked(written, new) if may_run and not lane.is_in_line and not lane.struck else 0
            )
            self._write(written, new, taken, len(new.payloads))
            self._seq += len(new.payloads)
        for written in lanes.values():
            self._finish(written)

    def _finish(self, written: _Written) -> None:
        leases = {one.lease: one for one in self.leases.values()} if written.singles else {}
        for (lease, options), tasks in written.singles.items():
            shared = {**self._shared(written, leases.get(lease)), "options": options}
            self.groups.append(NewTasks(tasks=tasks, **shared))
        for number, tasks_in_state in written.counts.items():
            self.counts.append((written.lane, number, tasks_in_state))

    def _fill_parked(self, written: _Written, new: NewRun) -> int:
        """Fill parked calls with tasks of a run; returns how many were taken."""
        submission = written.submission
        taken, wanted = 0, len(new.payloads)
        for capability in written.lane.capabilities:
            if capability not in self._parked:
                waits = self._routes.have_work(
                    capability
                )  # stored tasks are leased first: leave the parked calls to them
                # Reversed, so that the call that has waited longest is popped first.
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
                    upto = planned.upto(new.payloads, taken, upto)
                self._write(written, new, taken, upto, planned)
                planned.room -= upto - taken
                taken = upto
                # Full: the next tasks go to the next call.
                if not planned.room or planned.bytes_left <= 0:
                    parked_calls.pop()
        return taken

    def _write(
        self, written: _Written, new: NewRun, start: int, stop: int, planned: PlannedLease | None = None
    ) -> None:
        """Add tasks of a run, from ``start`` to ``stop``, as arrays; their numbers follow the order of submission. ``planned``: as
        leased."""
        if start == stop:
            return
        submission = written.submission
        for first, last in cut(submission, new.payloads, start, stop):
            id, seq = id_behind(new.first, first), self._seq + first + 1
            # Mostly all of a run: no copy of a thousand references.
            payloads = new.payloads if last - first == len(new.payloads) else new.payloads[first:last]
            if planned is not None:
                planned.grant(submission, written.lane.number, seq, id, payloads)
            # One task alone is cheaper as a row.
            if last - first > 1:
                shared = self._shared(written, planned)
                tags = _tags(new, first, last)
                self.groups.append(NewArray(seq=seq, id=id, payloads=payloads, tags=tags, **shared))
            else:
                lease = b"" if planned is None else planned.lease
                alike = lease, submission.options_of(new, first)
                written.singles.setdefault(alike, []).append((seq, id, payloads[0]))
        self.tasks += stop - start
        written.counts[written.state if planned is None else RUNNING_STATE] += stop - start

    def _write_mixed(self, lanes: _WrittenLanes, new: NewRun, mixture: Mixture) -> None:
        """Add tasks of different lanes: those that are stored together as mixed arrays, and others each in its own lane."""
        submission = lanes.submission
        for first, last in cut(submission, new.payloads, 0, len(new.payloads)):
            part = mixture.part(first, last).own()
            # Nothing is mixed in this part: stored as any other, which costs memory for no task.
            if last - first == 1 or len(part.lanes) == 1:
                self._write(lanes[part.lanes[0]], new, first, last)
                continue
            written = lanes[new.lane or submission.route]
            id, seq = id_behind(new.first, first), self._seq + first + 1
            shared = self._shared(written)
            lanes_packed = part.packed(submission.options.priority)
            payloads, tags = new.payloads[first:last], _tags(new, first, last)
            self.groups.append(
                NewArray(seq=seq, id=id, payloads=payloads, lanes=lanes_packed, tags=tags, **shared)
            )
            one = MixedArray(seq, id, -submission.options.priority, part)
            self.mixed.append((one, written.state))
            self.tasks += last - first
            written.counts[written.state] += last - first

    def _shared(self, written: _Written, planned: PlannedLease | None = None) -> dict[str, Any]:
        """The fields of ``NewShared``."""
        submission = written.submission
        options = submission.options
        shared: dict[str, Any] = {
            "route": written.lane.number,
            "state": written.state,
            "created": self._now.steady,
            "priority": options.priority,
            "due": written.due[0],
            "at": written.due[1],
            "expires": written.expires,
            "timeout": options.timeout,
            "options": submission.options_packed,
            "origin": submission.origin,
            "deadline": None if options.deadline is None else submission.deadline(self._now),
            "ttl": None if options.result_ttl is None else int(options.result_ttl * 1000),
        }
        if planned is not None:
            shared |= {
                "state": RUNNING_STATE,
                "attempt": 1,
                "lease": planned.lease,
                "worker": planned.parked.worker,
                "started": self._now.steady,
            }
        return shared


def _tags(new: NewRun, first: int, last: int) -> bytes | None:
    """What the store keeps of the indexed arguments of some tasks of a run."""
    return None if new.indexed is None else packed_index(new.indexed.part(first, last))


def cut(submission: Submission, payloads: list[bytes], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where tasks of a run are cut into what is stored together."""
    if submission.as_rows or not submission.has_large:
        # None has more than LARGE_BYTES (judging.py): a thousand of them are two megabytes, without a look at each.
        step = 1 if submission.as_rows else ARRAY_TASKS_MAX
        for first in range(start, stop, step):
            yield first, min(first + step, stop)
        return
    first, size = start, 0
    for place in range(start, stop):
        payload_bytes = len(payloads[place])
        if place > first and (place - first == ARRAY_TASKS_MAX or size + payload_bytes > ARRAY_BYTES_MAX):
            yield first, place
            first, size = place, 0
        size += payload_bytes
    if first < stop:
        yield first, stop
