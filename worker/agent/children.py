"""The child processes of a worker as the agent sees them: which one may take a job, and which job a child is at. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from .effects import ChildEffects, ChildState
from .jobs import Job
from .task_durations import TaskDurations


class Children(dict[int, ChildState]):
    """By number. ``max_tasks``: how many jobs one child is given in its life; 0: no limit."""

    def __init__(self, effects: ChildEffects, durations: TaskDurations, max_tasks: int) -> None:
        super().__init__()
        self._effects, self._durations, self._max_tasks = effects, durations, max_tasks
        self._next_ordinal = 1

    @property
    def busy(self) -> bool:
        return any(child.jobs for child in self.values())

    @property
    def ready_count(self) -> int:
        return sum(child.ready for child in self.values())

    @property
    def jobs_count(self) -> int:
        return sum(len(child.jobs) for child in self.values())

    def all_run_since(self) -> float | None:
        """When the last one began what it runs; None: not each of them runs something."""
        if all(child.jobs and child.jobs[0].ordinal == child.current for child in self.values()):
            return max((child.since for child in self.values()), default=None)
        return None

    @property
    def jobs(self) -> list[Job]:
        return [job for child in self.values() for job in child.jobs]

    @property
    def idle(self) -> ChildState | None:
        """One that is ready and has no job."""
        return next((child for child in self.values() if child.ready and not child.jobs), None)

    def free_for(self, job: Job, reserved: int) -> ChildState | None:
        """The least loaded child that may take one more job like this. ``reserved``: so many idle children are kept free
        for suspects whose start is announced."""
        queued_max = 0 if job.suspect else self._durations.queued_max(job.name)
        best: ChildState | None = None
        for child in self.values():
            load = len(child.jobs)
            if self.is_used_up(child):
                continue
            if child.ready and not load:
                if not reserved:
                    return child
                reserved -= 1
            elif child.ready and load <= queued_max and not child.ending:
                best = child if best is None or load < len(best.jobs) else best
        return best

    def batch_size(self, child: ChildState, name: str) -> int:
        """How many jobs of this name the child is sent at once."""
        size = self._durations.batch_size(name)
        return min(size, self._max_tasks - child.jobs_given) if self._max_tasks else size

    def send(self, child: ChildState, jobs: list[Job], now: float) -> None:
        """Hand jobs over. Ordinals only grow, over all children, so that a late report names no other job."""
        for job in jobs:
            job.ordinal = self._next_ordinal
            self._next_ordinal += 1
        if not child.jobs:
            child.set_current(jobs[0], now)
        child.jobs_given += len(jobs)
        child.jobs.extend(jobs)
        self._effects.send(child.number, jobs, is_swift=self._durations.is_swift(jobs[0].name))

    def is_used_up(self, child: ChildState) -> bool:
        """Whether it gets no more jobs."""
        return child.is_retiring or bool(self._max_tasks and child.jobs_given >= self._max_tasks)

    def retire_if_due(self, child: ChildState) -> None:
        """Have a child that gets no more jobs and has none replaced."""
        if not child.jobs and child.ready and self.is_used_up(child):
            child.ready = False
            self._effects.retire(child.number)

    def with_jobs_of(self, keys: Iterable[tuple[bytes, int]]) -> list[ChildState]:
        """Those that were sent one of these attempts."""
        wanted = set(keys)
        return [child for child in self.values() if any(job.key in wanted for job in child.jobs)]

    def job_of(self, number: int, ordinal: int) -> Job | None:
        """The job that printed something: the one whose ordinal the output names, else the first that has begun and is not
        reported. What a subprocess prints names none."""
        child = self.get(number)
        if child is None or not child.jobs:
            return None
        return child.job(ordinal) or (child.jobs[0] if child.running(self._effects) is not None else None)

    def last_begun(self, number: int, begun: int) -> Job | None:
        """What a dead child ran. ``begun``: the ordinal up to which it had begun its jobs."""
        return next((job for job in reversed(self[number].jobs) if job.ordinal <= begun), None)
