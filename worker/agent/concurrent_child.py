"""A child that runs many jobs at a time, as the agent sees it. Pure.

::

    sent ─► begun, in the order of the ordinals ─┬► reported, in any order
                                                 └► given up: it did not end at its hard limit; what it reports later is ignored

It begins its jobs in the order in which it was sent them, as every child does; so the page that says which were begun is the
same, and they are taken back in the same way. How long each runs, and whether it is being ended, is kept for each by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ...common.domain.ids import show_id
from .effects import ChildEffects, ChildState
from .jobs import Job
from .runs import JobQueue, JobRun
from .scattered_jobs import ScatteredJobs

# In one child at a time: if it dies and none is known to have done it, each is charged
SUSPECTS_MAX: Final = 16


@dataclass(slots=True, eq=False)
class UnderWay:
    """One of its jobs. ``name``: of its task. ``since``: when it was last known not to have begun. ``ending``: as in ``ChildState``."""

    name: str
    since: float
    timeout: float | None
    ending: str = ""
    ending_since: float = 0.0
    is_asked: bool = False  # where it stands was asked for
    is_long: bool = False  # it is known to take long
    stack: str = ""  # where it stood when it was asked


@dataclass(slots=True, eq=False)
class ConcurrentChild(ChildState):
    """``places``: how many jobs it runs at a time."""

    jobs: JobQueue = field(default_factory=ScatteredJobs)
    places: int = 1
    under_way: dict[int, UnderWay] = field(default_factory=dict)  # by ordinal, in their order
    suspects: set[int] = field(default_factory=set)  # ordinals
    waiting: dict[int, set[int]] = field(
        default_factory=dict
    )  # ordinals of jobs that wait for other tasks, and their waits
    given_up: set[int] = field(default_factory=set)  # ordinals of jobs that did not end, and may still run
    beats: int = -1  # of its loop, at the last tick
    beat_at: float = 0.0  # when they were last seen to grow
    starved: tuple[float, float] = (0.0, 0.0)  # seconds until then, see ``ConcurrentEffects.starved``
    blocked_by: int = 0  # ordinal of the job that has blocked its loop too long; 0 if that is unknown
    is_blocked: bool = False  # its loop was found blocked too long
    is_blocking_logged: bool = False  # and named in the log
    is_starving_logged: bool = False  # that it waits for threads of its own process stands in the log
    blocking_stack: str = ""

    @property
    def free(self) -> int:
        """How many more jobs it may be sent: one that waits for other tasks takes no place."""
        return self.places - len(self.jobs) + len(self.waiting) - len(self.given_up)

    @property
    def runs_since(self) -> float | None:
        if not self.under_way or self.free > 0:
            return None
        return max(one.since for one in self.under_way.values())

    def running(self, effects: ChildEffects) -> Job | None:
        """No one of them more than the others."""
        return None

    def begun_for_certain(self, effects: ChildEffects) -> list[Job]:
        begun = effects.begun(self.number, for_certain=True)
        return [
            job for run in self.jobs if run.ordinal <= begun for job in run.jobs() if job.ordinal <= begun
        ]

    def seconds(self, now: float) -> dict[int, float]:
        return {ordinal: max(0.0, now - one.since) for ordinal, one in self.under_way.items()}

    def rows(self, begun: int, now: float) -> list[list[Any]]:
        rows: list[list[Any]] = []
        for run in self.jobs:
            for part in run.split((begun + 1 - run.ordinal,)):
                since = self.under_way[part.ordinal].since
                rows.append(part.held if part.ordinal > begun else [*part.held, max(0.0, now - since)])
        return rows

    def take(self, runs: list[JobRun], now: float) -> None:
        for run in runs:
            self.jobs_given += len(run)
            for ordinal in range(run.ordinal, run.end):
                self.under_way[ordinal] = UnderWay(run.name, now, run.timeout)
        # Its loop was idle and may have stood still for hours: that is no stillness of the first job.
        if not self.jobs:
            self.beat_at = now
        self.jobs.put(runs)

    def remove_unstarted(self, begun: int) -> list[JobRun]:
        runs = ChildState.remove_unstarted(self, begun)
        for run in runs:
            self._forget(run.ordinal, run.end)
        return runs

    def take_ended(self, first: int, count: int) -> list[JobRun]:
        ended = self.jobs.take_exactly(first, count)
        if ended:
            self._forget(first, first + count)
        return ended

    def is_late(self, ordinal: int) -> bool:
        """Whether this job was given up: its report comes too late."""
        if ordinal not in self.given_up:
            return False
        self.given_up.discard(ordinal)
        return True

    def give_up(self, ordinal: int) -> tuple[Job, UnderWay] | None:
        """Remove a job that does not end."""
        about = self.under_way.get(ordinal)
        runs = self.take_ended(ordinal, 1)
        if about is None or not runs:
            return None
        # It still takes its place: its code may run on, and another job would be one too many.
        self.given_up.add(ordinal)
        return runs[0].job(0), about

    def wait_in_place(self, job: Job, wait: int, most: int) -> str:
        """A job waits for other tasks. It needs no child of its own for them: meanwhile another may run in its place. Why it may
        not, or nothing. ``most``: so many may wait."""
        if job.ordinal not in self.waiting and len(self.waiting) >= most:
            return (
                f"task {show_id(job.id)} waits for others, as {most:,} tasks do in its process already, and no more may. Return the "
                "handle, or give it to the task that needs the result, as an argument; or start the worker with more places in its "
                "--pool, or more --lent-children"
            )
        self.waiting.setdefault(job.ordinal, set()).add(wait)
        return ""

    def woke(self, wait: int) -> None:
        """A job waits no longer for what this wait was for."""
        for ordinal, waits in self.waiting.items():
            if wait in waits:
                waits.discard(wait)
                if not waits:
                    del self.waiting[ordinal]
                return

    def runs_here(self, ordinal: int) -> bool:
        """Whether this job may be what its loop is busy with: one that was given up may be, too."""
        return ordinal in self.under_way or ordinal in self.given_up

    def has_others(self, ordinal: int) -> bool:
        """Whether it has jobs besides this one."""
        return len(self.jobs) > (ordinal in self.under_way)

    def each(self) -> Iterator[tuple[Job, UnderWay]]:
        """All that it has, with what is known of each."""
        for run in self.jobs:
            for job in run.jobs():
                yield job, self.under_way[job.ordinal]

    def _forget(self, first: int, end: int) -> None:
        for ordinal in range(first, end):
            del self.under_way[ordinal]
            self.suspects.discard(ordinal)
            self.waiting.pop(ordinal, None)
            self.unwanted.pop(ordinal, None)
