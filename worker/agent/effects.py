"""What the agent can do to children and to the master, and its record of one child. Pure."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...common.domain.id_runs import IdRun
from .finish_call import FinishCall
from .jobs import Job
from .runs import JobQueue, JobRun, Key
from .sent_calls import SentCalls


class ChildEffects(Protocol):
    """What the agent has done with children, which it names by number."""

    def send(self, child: int, runs: list[JobRun], *, is_swift: bool) -> None:
        """Hand over a block: jobs of one lease and one task, with consecutive ordinals. ``is_swift``: each of them is expected
        to be over so soon that the reports of those before it may wait for it."""

    def begun(self, child: int, *, for_certain: bool = False) -> int:
        """The ordinal up to which a child has begun its jobs. ``for_certain``: without one that it may still leave."""

    def take_back(self, child: int) -> int:
        """Take back the jobs that it has not begun: now it never will. Returns the ordinal up to which it has begun them; at
        the last of these it may just be, and leave it: ``Agent.child_reported`` gets a LeftReport then."""

    def notify(self, child: int, ordinal: int, kind: str) -> None:
        """Raise ``timeout`` or ``cancel`` inside the job, if it still runs; ``flush``: report the jobs that are over. Of many
        jobs: ``where``: say where the job stands; ``strike``: as ``cancel``, in code that does not give its loop back."""

    def signal(self, child: int, *, kill: bool) -> None: ...
    def dump(self, child: int) -> None:
        """Have the stacks of its threads written, for its post-mortem."""

    def retire(self, child: int) -> None:
        """It has no job and gets none: let it end, and start another one in its place, unless it is lent."""


class ConcurrentEffects(Protocol):
    """What is done besides with children that run many jobs at a time."""

    def replace(self, child: int) -> None:
        """It gets no more jobs and still has some: start another one in its place now."""

    def beat(self, child: int) -> tuple[int, int]:
        """How often its loop has turned, about, and the ordinal of the job whose code runs there now, or 0."""

    def starved(self, child: int, now: float) -> tuple[float, float]:
        """For how many seconds in its life its loop could have run, as far as that is known, and had no processor; or threads of
        its own process had Python's lock."""

    def stack(self, child: int, ordinal: int) -> str:
        """Where this job stands, as far as the child has said after a notice ``where`` or ``dump``."""


class LentEffects(Protocol):
    """What is done for tasks that wait for others."""

    def start_lent(self) -> None:
        """Start a child for what a task waits for: ``Agent.child_ready`` or ``Lending.not_started`` follows."""

    def refuse_wait(self, child: int, wait: int, why: str) -> None:
        """Raise WouldDeadlock where a task waits."""


class MasterEffects(Protocol):
    """What the agent sends to the master. What is answered comes back as an event of the agent."""

    def began(self, rows: list[list[Any]]) -> None:
        """What runs and was not reported yet: see ``start_reports.py``."""

    def lease(self, want: int) -> None: ...
    def finish(self, call: FinishCall) -> None: ...
    def finish_later(self, seconds: float) -> None:
        """Call ``ReportGathering.over`` when this time is over."""

    def release(self, held: list[list[Any]]) -> None:
        """Give leases back whose attempts were not started."""

    def starting(self, ids: list[bytes]) -> None: ...
    def lend(self, token: int, waiter: bytes, runs: list[IdRun], want: int) -> None:
        """Lease what this task waits for; with a ``want`` of 0, ask only whether something of it is ready. ``Lending.lent`` gets the
        answer when there is something. No runs: it does not wait any more, and the call before is answered."""


class ShardEffects(Protocol):
    """What is sent besides by a worker that has the masters of several shards."""

    def look(self, shard: int, want: int, *, waits: bool) -> None:
        """Lease up to so many of a shard. ``waits``: until there is one; else it is answered at once, with nothing if there is none."""

    def look_later(self, seconds: float) -> None:
        """Call ``SharedLeasing.over`` when this time is over."""


@dataclass(slots=True, eq=False)
class ChildState:
    """One child process, as far as the agent knows."""

    number: int
    ready: bool = False
    jobs: JobQueue = field(default_factory=JobQueue)  # sent and not reported yet, in the order of running
    # By ordinal: "cancelled", or "lost" to another worker, while it had begun them as far as is known.
    unwanted: dict[int, str] = field(default_factory=dict)
    current: int = 0  # ordinal of the job seen running at the last tick
    since: float = 0.0  # when it was first seen running
    long: int = 0  # ordinal of the job that was last found to run for long
    ending: str = ""  # why its job is being ended: "timeout", "cancel", "lost", "memory" or ""
    ending_since: float = 0.0
    escalation: int = 0  # 1: it was asked to end, 2: terminated, 3: killed
    flush_requested_for: int = 0  # ordinal of the job during which it was asked to report what is over
    is_dumped: bool = False  # the stacks of the job that is being ended were requested
    jobs_given: int = 0  # in its life, without those that were taken back
    # It has grown beyond its limit: it gets no more, and ends when it has nothing to do
    is_retiring: bool = False
    is_distrusted: bool = False  # it broke the protocol: it is being killed, and its reports are ignored
    ended: float = 0.0  # when it last reported a job
    is_lent: bool = False  # it runs only what waiting tasks wait for: see lending.py
    calls: SentCalls = field(default_factory=SentCalls)  # which of its jobs run as one call
    is_asleep: bool = False  # its task waits for other tasks
    measured: float = 0.0  # when its memory was measured
    memory_bytes: int = 0
    memory_before_bytes: int = 0  # what was measured before its current job began

    @property
    def serves(self) -> bool:
        """Whether it takes a slot for any job."""
        return not (self.is_lent or self.is_asleep)

    @property
    def runs_since(self) -> float | None:
        """When it began what it runs; None: it may run more."""
        return self.since if self.jobs and self.is_at_first(self.current) else None

    @property
    def runs_long(self) -> bool:
        """Whether what it runs has taken so long already that nothing is to wait behind it, however short that is."""
        return self.long == self.current

    @property
    def load(self) -> int:
        """How many jobs it has, where those that run as one call count as one."""
        return self.calls.count(self.jobs)

    def is_at_first(self, ordinal: int) -> bool:
        """Whether this job, which it has, is the first that it has not reported, or runs as one call with that."""
        first = self.jobs.first.ordinal
        return first == ordinal or first in (self.calls.with_job(ordinal) or ())

    def running(self, effects: ChildEffects) -> Job | None:
        """The job that it runs: the last one that it has begun."""
        return self.jobs.last_to(effects.begun(self.number))

    def begun_for_certain(self, effects: ChildEffects) -> list[Job]:
        """What it runs and cannot leave any more."""
        job = self.running(effects)
        is_certain = job is not None and job.ordinal <= effects.begun(self.number, for_certain=True)
        return [job] if job is not None and is_certain else []

    def seconds(self, now: float) -> dict[int, float]:
        """The seconds of each job that was seen running, by ordinal."""
        return {self.current: max(0.0, now - self.since)} if self.jobs.job(self.current) is not None else {}

    def rows(self, begun: int, now: float) -> list[list[Any]]:
        """``[id, attempt, lease]`` of all that it has; the seconds are behind what has begun. Of neighbours, one row."""
        rows: list[list[Any]] = []
        for run in self.jobs:
            first = run.ordinal
            # Cut around the one that runs, whose seconds are its own, and behind what has begun.
            for part in run.split((self.current - first, self.current + 1 - first, begun + 1 - first)):
                seconds = max(0.0, now - self.since) if part.ordinal == self.current else 0.0
                rows.append(part.held if part.ordinal > begun else [*part.held, seconds])
        return rows

    def take(self, runs: list[JobRun], now: float) -> None:
        """It is sent these."""
        # It was idle: the first of these begins now, or as soon as it has read it.
        if not self.jobs:
            self.set_current(runs[0].ordinal, now)
        self.jobs_given += sum(map(len, runs))
        self.jobs.put(runs)

    def set_current(self, ordinal: int, now: float) -> None:
        """Note that it was seen running this job for the first time."""
        self.current, self.since, self.memory_before_bytes = ordinal, now, self.memory_bytes

    def record_memory(self, size_bytes: int, now: float) -> float:
        """Note how much memory it has. Returns when it was measured before."""
        last, self.measured, self.memory_bytes = self.measured, now, size_bytes
        return last

    def has_outgrown(self, limit_bytes: int, last: float) -> bool:
        """Whether the running job has grown it beyond the limit. A job that began in a process that was beyond the limit
        already may grow by as much again; so may one that began after another between two measurements."""
        # Both within one interval: what the job before has left is not known from what this one took.
        if self.ended > last and self.since > last:
            self.memory_before_bytes = self.memory_bytes
        inherited = self.memory_before_bytes if self.memory_before_bytes > limit_bytes else 0
        return self.memory_bytes > limit_bytes + inherited

    def remove_unstarted(self, begun: int) -> list[JobRun]:
        """Remove and return the jobs behind this ordinal, which it has not begun."""
        runs = self.jobs.take_last(len(self.jobs) - self.jobs.count_to(begun))
        # What it never began wears out nothing of it: max_tasks_per_child counts starts.
        self.jobs_given -= sum(map(len, runs))
        return runs

    def take_unwanted(self, begun: int) -> dict[int, str]:
        """The marks of jobs behind this ordinal: it has left them since they were marked, and has not reported that yet."""
        found = {ordinal: why for ordinal, why in self.unwanted.items() if ordinal > begun}
        self.unwanted = {ordinal: why for ordinal, why in self.unwanted.items() if ordinal <= begun}
        return found

    def mark_unwanted(self, keys: Container[Key], why: str) -> None:
        """Of what it has begun as far as is known: if it leaves one of these, that is not put back."""
        for run in self.jobs:
            for place in run.places_of(keys):
                self.unwanted[run.ordinal + place] = why

    def remove_left(self, ordinal: int) -> tuple[list[JobRun], str]:
        """Remove and return the job of this ordinal, which it has come to and not begun, and why it is unwanted, if it is.
        Empty: it was taken back."""
        why = self.unwanted.get(ordinal, "")
        if left := self.take_ended(ordinal, 1):
            self.jobs_given -= 1
        return left, why

    def take_ended(self, first: int, count: int) -> list[JobRun]:
        """Remove and return so many jobs, from this ordinal on. Empty: it does not have all of them in front."""
        ended = self.jobs.take_exactly(first, count)
        # The end that was asked for has come by itself; what it is asked next is about another job.
        if ended and first <= self.current < first + count:
            self.ending, self.escalation = "", 0
        if ended and self.unwanted:
            self.unwanted = {one: why for one, why in self.unwanted.items() if one >= first + count}
        return ended

    def is_late(self, ordinal: int) -> bool:
        """Whether it may report a job that it does not have any more."""
        return False

    @property
    def why_ended(self) -> str:
        """For the post-mortem: "distrust", or why its job was being ended, or empty."""
        return "distrust" if self.is_distrusted else self.ending

    def dump(self, effects: ChildEffects) -> None:
        """Have its stacks written. Done once for each job that is being ended."""
        self.is_dumped = True
        effects.dump(self.number)
