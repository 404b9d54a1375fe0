"""Which running job is ended, and how: time limits, cancellation, memory. Pure.

::

    timeout ──────► notice: an exception in the job ─(kill grace)────────────────────────────► SIGKILL
    cancel, lost ─► notice: an exception in the job ─(kill grace)─► SIGTERM ─(kill grace)─► SIGKILL
    memory ───────► stacks ─(one tick)───────────────────────────────────────────────────────► SIGKILL

lost: the lease, to another worker; the job is asked to end as if it was cancelled.

A child that is killed is reported by its death: see ``Agent.child_died``. Jobs behind a long one are taken back, so that they
do not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Final

from ...common.domain.ids import show_id
from .effects import ChildEffects, ChildState
from .jobs import Job
from .runs import Key
from .task_durations import LONG_SECONDS, TaskDurations

TICK_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 0.005  # between two looks while jobs are queued in a child
# Of a job that was seen running so long, the one before has not to wait any longer
HELD_SECONDS: Final = 0.004
DUMP_SECONDS: Final = 1.0  # at the latest so long after a job was asked to end, its stacks are written
ACTIONS: Final = {
    "timeout": "task.timeout",
    "cancel": "task.cancelled",
    "lost": "task.given_up",
    "memory": "task.memory",
}


def log_ending(report: Callable[..., None], why: str, job: Job) -> None:
    report(ACTIONS[why], level="warning", task=show_id(job.id), name=job.name)


class Watchdog:
    """``requeue``: takes back the jobs that a child has not begun. ``max_memory``: bytes of one child; 0: no limit."""

    def __init__(
        self,
        effects: ChildEffects,
        durations: TaskDurations,
        requeue: Callable[[ChildState], None],
        report: Callable[..., None],
        kill_grace_seconds: float,
        max_memory: int,
    ) -> None:
        self._effects, self._durations, self._requeue, self._report = effects, durations, requeue, report
        self._kill_grace, self._max_memory = kill_grace_seconds, max_memory

    def check(self, child: ChildState, now: float) -> None:
        """At every tick, for each child that has jobs."""
        job = self.look(child, now)
        if job is None:
            return
        elapsed = now - child.since
        if elapsed >= LONG_SECONDS:
            # Before it ends: no more tasks of this name are queued behind it meanwhile.
            self._durations.record_running(job.name, elapsed)
            # Also of other names: sent behind it and taken back at each tick, they would fill the memory until it ends, for it reads nothing.
            child.long = job.ordinal
            if child.load > 1:
                self._requeue(child)
        if child.ending:
            self._escalate(child, now)
        # Not if it is being ended already: the first reason is the one that is reported.
        elif job.timeout is not None and elapsed >= job.timeout:
            self.end_job(child, "timeout", now)

    def look_at_all(self, children: Iterable[ChildState], now: float) -> bool:
        """Between two ticks, at those in which jobs are queued. Whether there are such."""
        queued = [child for child in children if child.load > 1]
        for child in queued:
            self.look(child, now)
        return bool(queued)

    def look(self, child: ChildState, now: float) -> Job | None:
        """What it runs since the last look. Reports of jobs that are over are not kept back by one that turns out to be slow:
        the child sends them at once."""
        job = child.running(self._effects)
        if job is None:
            return None
        if job.ordinal != child.current:
            child.set_current(job.ordinal, now)
            # What was asked of the job before does not hold for this one.
            child.ending, child.escalation = "", 0
            return None
        is_held_back = now - child.since >= HELD_SECONDS and not child.is_at_first(job.ordinal)
        # Once for each job: the child sends what it has at the first request.
        if is_held_back and child.flush_requested_for != job.ordinal:
            child.flush_requested_for = job.ordinal
            self._effects.notify(child.number, job.ordinal, "flush")
        return job

    def end_job(self, child: ChildState, why: str, now: float) -> None:
        """Ask what the child runs to end. ``why``: a key of ACTIONS."""
        job = child.running(self._effects)
        if job is not None and not child.ending:
            if job.ordinal != child.current:  # it has begun since the last tick
                child.set_current(job.ordinal, now)
            child.ending, child.ending_since, child.escalation, child.is_dumped = why, now, 1, False
            log_ending(self._report, why, job)
            if why == "memory":  # no notice: it takes what others need, and is killed at the next tick
                child.dump(self._effects)
            else:
                self._effects.notify(child.number, job.ordinal, "cancel" if why == "lost" else why)

    def end_if_running(self, child: ChildState, keys: Set[Key], why: str, now: float) -> None:
        """End what the child runs if it is one of these attempts. An attempt may be over, and its report on the way. Of those that run
        together none is ended by itself: the others go on, and its result comes with theirs."""
        job = child.running(self._effects)
        if job is not None and job.key in keys and child.calls.with_job(job.ordinal) is None:
            self.end_job(child, why, now)

    def check_memory(self, child: ChildState, size_bytes: int, now: float) -> bool:
        """A child beyond its limit gets no more jobs, and the job that made it grow is ended. Whether it is beyond."""
        last = child.record_memory(size_bytes, now)
        if size_bytes <= self._max_memory:
            return False
        # Those behind it would begin in a process that is to end.
        if not child.is_retiring:
            child.is_retiring = True
            self._requeue(child)
        job = child.running(self._effects)
        if job is not None and not child.ending:
            if job.ordinal != child.current:
                child.set_current(job.ordinal, now)
            if child.has_outgrown(self._max_memory, last):
                self.end_job(child, "memory", now)
        return True

    def _escalate(self, child: ChildState, now: float) -> None:
        """The job did not end when asked. A cancel or a lost lease is enforced by SIGTERM and then SIGKILL, all else by SIGKILL."""
        waited = now - child.ending_since
        if not child.is_dumped and waited >= min(DUMP_SECONDS, self._kill_grace / 2):
            child.dump(self._effects)
        # One tick for memory: the stacks are written by then, and every further moment takes more.
        if waited < (TICK_SECONDS if child.ending == "memory" else self._kill_grace * child.escalation):
            return
        child.escalation += 1
        kill = child.ending not in ("cancel", "lost") or child.escalation > 2
        self._effects.signal(child.number, kill=kill)
