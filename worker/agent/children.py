"""The child processes of a worker as the agent sees them: which one may take a job, and which job a child is at. Pure."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from .effects import ChildEffects, ChildState
from .jobs import Death, Job
from .runs import JobQueue, JobRun, Key
from .task_durations import LONG_SECONDS, TaskDurations

SHARED_TASKS_MIN: Final = 256  # fewer are not worth the wake-up of another child


class Children(dict[int, ChildState]):
    """By number. ``max_tasks``: how many jobs one child is given in its life; 0: no limit."""

    def __init__(self, effects: ChildEffects, durations: TaskDurations, max_tasks: int) -> None:
        super().__init__()
        self._effects, self._durations, self._max_tasks = effects, durations, max_tasks
        self._next_ordinal = 1

    def add(self, number: int, *, is_lent: bool) -> ChildState:
        """One that is ready."""
        child = self[number] = ChildState(number, ready=True, is_lent=is_lent)
        return child

    @property
    def busy(self) -> bool:
        return any(child.jobs for child in self.values())

    @property
    def ready_count(self) -> int:
        """Of those that take any job."""
        return sum(child.ready for child in self.values() if child.serves)

    @property
    def places(self) -> int:
        """How many jobs they can run at a time."""
        return self.ready_count

    @property
    def jobs_count(self) -> int:
        """Of those that take any job; those that run as one call count as one."""
        return sum(child.load for child in self.values() if child.serves)

    def all_run_since(self) -> float | None:
        """When the last one began what it runs; None: not each of them runs something."""
        since = [child.runs_since for child in self.values() if child.serves]
        began = [one for one in since if one is not None]
        # One that is free is reason enough not to read anything from the others.
        return max(began, default=None) if len(began) == len(since) else None

    def record_running(self, now: float) -> None:
        """Note how long tasks take when all that run have taken long already."""
        since = self.all_run_since()
        if since is not None and now - since >= LONG_SECONDS:
            self._durations.record_all_running(now - since)

    @property
    def runs(self) -> list[JobRun]:
        return [run for child in self.values() for run in child.jobs]

    @property
    def idle(self) -> ChildState | None:
        """One that takes any job, is ready and has none."""
        return next((one for one in self.values() if one.ready and not one.jobs and one.serves), None)

    @property
    def for_suspect(self) -> ChildState | None:
        """One that a suspect may be sent to whose start was announced."""
        return self.idle

    def free_for(self, run: JobRun, reserved: int) -> ChildState | None:
        """The least loaded child that may take one more job like this. ``reserved``: so many idle children are kept free
        for suspects whose start is announced."""
        # A suspect runs alone, so that a death shows whether it is the cause; what needs units would hold them unused.
        queued_max = 0 if run.suspect or run.needs else self._durations.queued_max(run.name)
        is_call = run.name in self._durations.together
        best, least = None, 0
        for child in self.values():
            load = child.load if is_call else len(child.jobs)
            if self.is_used_up(child) or not child.serves:
                continue
            if child.ready and not load:
                # Idle is best: nothing to compare.
                if not reserved:
                    return child
                reserved -= 1
            # Behind a job that is being ended it could wait for the kill.
            elif child.ready and load <= queued_max and not (child.ending or child.runs_long):
                best, least = (child, load) if best is None or load < least else (best, least)
        return best

    def batch_size(self, child: ChildState, name: str, waiting: int) -> int:
        """How many jobs of this name the child is sent at once, where so many wait: of many short ones no more than its share."""
        # Rounded up: the last child must not be left with a remainder of one.
        share = -(-waiting // max(1, self.ready_count))
        size = min(self._durations.batch_size(name), max(SHARED_TASKS_MIN, share))
        if name in self._durations.together:
            return self._durations.together[name]
        # Never more than it may still run: the rest would have to be taken back.
        return min(size, self._max_tasks - child.jobs_given) if self._max_tasks else size

    def send(self, child: ChildState, runs: list[JobRun], now: float) -> None:
        """Hand a block over. Ordinals only grow, over all children, so that a late report names no other job."""
        for run in runs:
            run.ordinal = self._next_ordinal
            self._next_ordinal += len(run)
        child.take(runs, now)
        if runs[0].name in self._durations.together:
            child.calls.sent(range(runs[0].ordinal, runs[-1].end), child.jobs)
        self._effects.send(child.number, runs, is_swift=self._durations.is_swift(runs[0].name))

    def send_alike(self, child: ChildState, queue: JobQueue, now: float) -> None:
        """Send what is in front of a queue, as many as go together."""
        name = queue.first.name
        most = self.batch_size(child, name, len(queue))
        self.send(child, queue.take_alike(most, together=name in self._durations.together), now)

    def take_together(self, queue: JobQueue) -> list[JobRun]:
        """The first job of a queue, with those behind it that run as one call with it."""
        together = self._durations.together.get(queue.first.name, 1)
        return queue.take_alike(together, together=together > 1)

    def send_suspect(self, child: ChildState, run: JobRun, now: float) -> None:
        """Its start is announced, and the master has acknowledged that."""
        run.suspect = False
        self.send(child, [run], now)

    def is_used_up(self, child: ChildState) -> bool:
        """Whether it gets no more jobs."""
        return child.is_retiring or bool(self._max_tasks and child.jobs_given >= self._max_tasks)

    def retire_if_due(self, child: ChildState) -> None:
        """Have a child that gets no more jobs and has none replaced."""
        if not child.jobs and child.ready and self.is_used_up(child):
            # At once: no job must come between the order and its end.
            child.ready = False
            self._effects.retire(child.number)

    def with_jobs_of(self, keys: Container[Key]) -> list[ChildState]:
        """Those that were sent one of these attempts."""
        return [child for child in self.values() if any(run.places_of(keys) for run in child.jobs)]

    def job_of(self, number: int, ordinal: int) -> Job | None:
        """The job that printed something: the one whose ordinal the output names, else the first that has begun and is not
        reported. What a subprocess prints names none."""
        child = self.get(number)
        if child is None or not child.jobs:
            return None
        if (job := child.jobs.job(ordinal)) is not None:
            return job
        # A guess, and right for almost all output: subprocesses print while their job runs.
        return child.jobs.first.job(0) if child.running(self._effects) is not None else None

    def ran(self, number: int, begun: int, death: Death) -> Job | None:
        """What a dead child ran, if that is known. ``begun``: the ordinal up to which it had begun its jobs."""
        return self[number].jobs.last_to(begun)
