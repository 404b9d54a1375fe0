"""What the agent can do to children and to the master, and its record of one child. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Any, Final, Protocol

from ...common.contract.workers import ReportRow
from .jobs import Job

ORDINAL: Final = attrgetter("ordinal")  # by which the jobs of a child are in order


class ChildEffects(Protocol):
    """What the agent has done with children, which it names by number."""

    def send(self, child: int, jobs: list[Job], *, is_swift: bool) -> None:
        """Hand over a block: jobs of one lease and one task, with consecutive ordinals. ``is_swift``: each of them is expected
        to be over so soon that the reports of those before it may wait for it."""

    def begun(self, child: int, *, for_certain: bool = False) -> int:
        """The ordinal up to which a child has begun its jobs. ``for_certain``: without one that it may still leave."""

    def take_back(self, child: int) -> int:
        """Take back the jobs that it has not begun: now it never will. Returns the ordinal up to which it has begun them; at
        the last of these it may just be, and leave it: ``Agent.child_reported`` gets a LeftReport then."""

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
    ending: str = ""  # why its job is being ended: "timeout", "cancel", "lost", "memory" or ""
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

    def begun(self, effects: ChildEffects) -> list[Job]:
        """What it has begun and not reported, in the order of running."""
        return list(islice(self.jobs, self._begun_count(effects)))

    def running(self, effects: ChildEffects) -> Job | None:
        """The job that it runs: the last one that it has begun."""
        count = self._begun_count(effects)
        return self.jobs[count - 1] if count else None

    def _begun_count(self, effects: ChildEffects) -> int:
        return bisect_right(self.jobs, effects.begun(self.number), key=ORDINAL)

    def job(self, ordinal: int) -> Job | None:
        """The job of this ordinal, if it is sent and not reported."""
        at = bisect_left(self.jobs, ordinal, key=ORDINAL)
        return self.jobs[at] if at < len(self.jobs) and self.jobs[at].ordinal == ordinal else None

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

    def remove_unstarted(self, begun: int) -> list[Job]:
        """Remove and return the jobs behind this ordinal, which it has not begun."""
        jobs: list[Job] = []
        while self.jobs and self.jobs[-1].ordinal > begun:
            jobs.append(self.jobs.pop())
        self.jobs_given -= len(jobs)
        return jobs[::-1]

    def mark_unwanted(self, keys: Container[tuple[bytes, int]], why: str) -> None:
        """Of what it has begun as far as is known: if it leaves one of these, that is not put back."""
        for job in self.jobs:
            if job.key in keys:
                job.unwanted = why

    def remove_left(self, ordinal: int) -> Job | None:
        """Remove and return the job of this ordinal, which it has come to and not begun; None: it was taken back."""
        if not self.jobs or self.jobs[0].ordinal != ordinal:
            return None
        self.jobs_given -= 1
        return self.take_ended(ordinal, 1)[0]

    def take_ended(self, first: int, count: int) -> list[Job]:
        """Remove and return so many jobs, from this ordinal on. Empty: it does not have all of them in front."""
        jobs = self.jobs
        if len(jobs) < count or jobs[0].ordinal != first or jobs[count - 1].ordinal != first + count - 1:
            return []
        ended = [jobs.popleft() for _ in range(count)]
        if first <= self.current < first + count:
            self.ending, self.escalation = "", 0
        return ended

    @property
    def why_ended(self) -> str:
        """For the post-mortem: "distrust", or why its job was being ended, or empty."""
        return "distrust" if self.is_distrusted else self.ending

    def dump(self, effects: ChildEffects) -> None:
        """Have its stacks written. Done once for each job that is being ended."""
        self.is_dumped = True
        effects.dump(self.number)
