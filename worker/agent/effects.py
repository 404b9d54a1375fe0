"""What the agent can do to children and to the master, and its record of one child. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...common.contract.workers import ReportRow
from .jobs import Job


class ChildEffects(Protocol):
    """What the agent has done with children, which it names by number."""

    def send(self, child: int, jobs: list[Job]) -> None: ...
    def unread(self, child: int) -> int:
        """How many of the jobs sent to a child it has not begun."""

    def take_back(self, child: int) -> list[int]:
        """Ordinals of jobs that the child has not begun, and now never will."""

    def notify(self, child: int, ordinal: int, kind: str) -> None:
        """Raise ``timeout`` or ``cancel`` inside the job, if it still runs; ``flush``: report the jobs that are over."""

    def signal(self, child: int, *, kill: bool) -> None: ...
    def dump(self, child: int) -> None:
        """Have the stacks of its threads written, for its post-mortem."""

    def retire(self, child: int) -> None:
        """It has no job and gets none: let it end, and start another one in its place."""


class MasterEffects(Protocol):
    """What the agent sends to the master. What is answered comes back as an event of the agent."""

    def began(self, rows: list[list[Any]]) -> None:
        """What runs: see ``start_reports.py``."""

    def lease(self, want: int) -> None: ...
    def finish(self, rows: list[ReportRow], blobs: list[list[Any]] | None) -> None: ...
    def release(self, held: list[list[Any]]) -> None: ...
    def starting(self, ids: list[bytes]) -> None: ...


@dataclass(slots=True, eq=False)
class ChildState:
    """One child process, as far as the agent knows."""

    number: int
    ready: bool = False
    jobs: deque[Job] = field(default_factory=deque)  # sent and not reported yet, in the order of running
    current: int = 0  # ordinal of the job seen running at the last tick
    since: float = 0.0  # when it was first seen running
    ending: str = ""  # why its job is being ended: "timeout", "cancel", "memory" or ""
    ending_since: float = 0.0
    escalation: int = 0  # 1: it was asked to end, 2: terminated, 3: killed
    flush_requested_for: int = 0  # ordinal of the job during which it was asked to report what is over
    is_dumped: bool = False  # the stacks of the job that is being ended were requested
    jobs_given: int = 0  # in its life, without those that were taken back
    is_retiring: bool = (
        False  # it has grown beyond its limit: it gets no more, and ends when it has nothing to do
    )
    is_distrusted: bool = False  # it broke the protocol: it is being killed, and its reports are ignored
    ended: float = 0.0  # when it last reported a job
    measured: float = 0.0  # when its memory was measured
    memory_bytes: int = 0
    memory_before_bytes: int = 0  # what was measured before its current job began

    def running(self, effects: ChildEffects) -> Job | None:
        """The job that it runs: the last one whose ticket it has read."""
        begun = len(self.jobs) - effects.unread(self.number)
        return self.jobs[begun - 1] if 0 < begun <= len(self.jobs) else None

    def set_current(self, job: Job, now: float) -> None:
        """Note that it was seen running this job for the first time."""
        self.current, self.since, self.memory_before_bytes = job.ordinal, now, self.memory_bytes

    def record_memory(self, size_bytes: int, now: float) -> float:
        """Note how much memory it has. Returns when it was measured before."""
        last, self.measured, self.memory_bytes = self.measured, now, size_bytes
        return last

    def has_outgrown(self, limit_bytes: int, last: float) -> bool:
        """Whether the running job has grown it beyond the limit. A job that began in a process that was beyond the limit
        already may grow by as much again; so may one that began after another between two measurements."""
        if self.ended > last and self.since > last:
            self.memory_before_bytes = self.memory_bytes
        inherited = self.memory_before_bytes if self.memory_before_bytes > limit_bytes else 0
        return self.memory_bytes > limit_bytes + inherited

    def remove_unstarted(self, ordinals: set[int]) -> list[Job]:
        """Remove and return the jobs of these ordinals, which it has not begun."""
        jobs = [job for job in self.jobs if job.ordinal in ordinals]
        self.jobs_given -= len(jobs)
        self.jobs = deque(job for job in self.jobs if job.ordinal not in ordinals)
        return jobs

    @property
    def why_ended(self) -> str:
        """For the post-mortem: "distrust", or why its job was being ended, or empty."""
        return "distrust" if self.is_distrusted else self.ending

    def dump(self, effects: ChildEffects) -> None:
        """Have its stacks written. Done once for each job that is being ended."""
        self.is_dumped = True
        effects.dump(self.number)
