"""The children of a pool in which each runs many jobs at a time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from .children import Children
from .concurrent_child import SUSPECTS_MAX, ConcurrentChild
from .effects import ChildEffects, ChildState, ConcurrentEffects
from .jobs import Death, Job
from .runs import JobRun
from .task_durations import LONG_SECONDS, READ_AHEAD_SECONDS, SECONDS_MIN, TaskDurations

# Of short tasks, times the places: so many are held, so that no place waits for a round trip
AHEAD_MIN: Final = 2
# Held for one child, however short they are: one loop starts them one after the other
AHEAD_TASKS_MAX: Final = 1_000
# A task that waits here for a place, of tasks that take longer, waits so long at most: while reports wait, and what is asked for with them comes.
LONG_AHEAD_SECONDS: Final = 0.08


class Concurrency(NamedTuple):
    """``places``: how many jobs one child runs at a time."""

    places: int
    effects: ConcurrentEffects


class ConcurrentDurations(TaskDurations):
    """``places``: of one child. Tasks that run together take long together: what counts is how many places become free."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self._places = places
        self._is_measured = False  # some have ended

    def record(self, name: str, seconds: float) -> None:
        self._is_measured = True
        super().record(name, seconds)

    def record_all(self, name: str, seconds: Sequence[float]) -> None:
        self._is_measured = True
        super().record_all(name, seconds)

    def queued_max(self, name: str) -> int:
        return 0

    def prefetch(self, slots: int) -> int:
        overall = self._overall
        if overall is None or not self._is_measured:
            return slots
        if overall >= LONG_SECONDS:  # as many as places become free in that time
            return slots + int(slots * LONG_AHEAD_SECONDS / overall)
        ahead = min(AHEAD_TASKS_MAX, int(READ_AHEAD_SECONDS / max(overall, SECONDS_MIN)))
        # ``slots`` counts places; read ahead is for each loop.
        return max(AHEAD_MIN * slots, ahead * max(1, slots // self._places))


def children_of(
    effects: ChildEffects, max_tasks: int, concurrent: Concurrency | None
) -> tuple[TaskDurations, Children]:
    """How long the tasks of a pool take, and its children. ``concurrent`` None: they run one job after the other."""
    if concurrent is None:
        durations = TaskDurations()
        return durations, Children(effects, durations, max_tasks)
    durations = ConcurrentDurations(concurrent.places)
    return durations, ConcurrentChildren(effects, durations, max_tasks, concurrent)


class ConcurrentChildren(Children):
    """Each of them has as many places."""

    def __init__(
        self,
        effects: ChildEffects,
        durations: TaskDurations,
        max_tasks: int,
        concurrent: Concurrency,
    ) -> None:
        super().__init__(effects, durations, max_tasks)
        self._places, self._concurrent = concurrent

    def add(self, number: int, *, is_lent: bool) -> ChildState:
        child = self[number] = ConcurrentChild(number, ready=True, places=self._places)
        return child

    def concurrent(self) -> Iterable[ConcurrentChild]:
        return (child for child in self.values() if isinstance(child, ConcurrentChild))

    @property
    def places(self) -> int:
        return sum(one.places for one in self.concurrent() if one.ready and not self.is_used_up(one))

    @property
    def jobs_count(self) -> int:
        """Those that take a place and do not end with their child."""
        # What waits for other tasks has lent its place.
        return sum(len(one.jobs) - len(one.waiting) for one in self.concurrent() if not self.is_used_up(one))

    @property
    def idle(self) -> ChildState | None:
        return None

    @property
    def for_suspect(self) -> ChildState | None:
        return self._freest(for_suspect=True)

    def free_for(self, run: JobRun, reserved: int) -> ChildState | None:
        child = self._freest(for_suspect=run.suspect)
        if child is None or child.free <= reserved:
            return None
        # If it dies, each suspect in it is charged: too many at once would all be taken for the cause.
        return None if run.suspect and len(child.suspects) + reserved >= SUSPECTS_MAX else child

    def batch_size(self, child: ChildState, name: str, waiting: int) -> int:
        assert isinstance(child, ConcurrentChild)  # noqa: S101 - all of these are
        usable = [one for one in self.concurrent() if one.ready and not self.is_used_up(one)]
        share = -(-waiting // max(1, len(usable)))
        size = max(1, min(child.free, share))
        return min(size, self._max_tasks - child.jobs_given) if self._max_tasks else size

    def send(self, child: ChildState, runs: list[JobRun], now: float) -> None:
        super().send(child, runs, now)
        if self.is_used_up(child):
            self._concurrent.replace(child.number)

    def send_suspect(self, child: ChildState, run: JobRun, now: float) -> None:
        super().send_suspect(child, run, now)
        assert isinstance(child, ConcurrentChild)  # noqa: S101 - all of these are
        child.suspects.add(run.ordinal)

    def job_of(self, number: int, ordinal: int) -> Job | None:
        child = self.get(number)
        return None if child is None else child.jobs.job(ordinal)

    def ran(self, number: int, begun: int, death: Death) -> Job | None:
        return self[number].jobs.job(death.holder) if death.holder else None

    def _freest(self, *, for_suspect: bool) -> ConcurrentChild | None:
        best: ConcurrentChild | None = None
        for child in self.concurrent():
            if not child.ready or child.free <= 0 or self.is_used_up(child):
                continue
            if for_suspect and len(child.suspects) >= SUSPECTS_MAX:
                continue
            if best is None or child.free > best.free:
                best = child
        return best
