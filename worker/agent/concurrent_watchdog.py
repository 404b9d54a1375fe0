"""Which jobs of a child that runs many are ended, and how; and a child whose loop is blocked. Pure.

::

    timeout, cancel, lost ─► notice: task.cancel(), or an exception in the thread ─(1 s)─► where does it stand? ─(kill grace)─► given up
    the loop stands still ─(5 s in which it could run)─► found, named with its stack ─(kill grace)─► SIGKILL, if others are in it
    threads of its own process have Python's lock ─(5 s)─► in the log, and nothing else: no coroutine is to blame
    memory ─► it gets no more jobs ─(twice the limit)─► SIGKILL

A coroutine or a thread cannot be killed: a job that does not end is *given up*. Its attempt has ended and its lease is no longer
its own, so whatever it still returns is ignored. Its child gets no more jobs, another one is started in its place at once, and when
the other jobs in it have ended it is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Final

from ...common.domain.ids import show_id
from .concurrent_child import ConcurrentChild, UnderWay
from .effects import ChildEffects, ChildState, ConcurrentEffects
from .jobs import Job
from .runs import Key
from .task_durations import LONG_SECONDS, TaskDurations
from .watchdog import DUMP_SECONDS, log_ending

# So long a loop that could run may stand still before its child is drained and replaced
BLOCK_SECONDS: Final = 5.0
# A loop that has stood still so long is in the code of one job: that is struck there
STUCK_SECONDS: Final = 0.5
MEMORY_TIMES_MAX: Final = 2  # the limit: a child beyond it is killed, whatever runs in it
STACK_LINES_SHOWN: Final = 12


class ConcurrentWatchdog:
    """See ``Watchdog``. ``give_up``: reports a job that does not end."""

    def __init__(
        self,
        effects: ChildEffects,
        durations: TaskDurations,
        requeue: Callable[[ChildState], None],
        report: Callable[..., None],
        kill_grace_seconds: float,
        max_memory: int,
        concurrent: ConcurrentEffects,
        give_up: Callable[[Job, UnderWay, float], None],
    ) -> None:
        self._effects, self._durations, self._requeue, self._report = effects, durations, requeue, report
        self._kill_grace, self._max_memory = kill_grace_seconds, max_memory
        self._concurrent, self._give_up = concurrent, give_up

    def check(self, child: ChildState, now: float) -> None:
        assert isinstance(child, ConcurrentChild)  # noqa: S101 - all children of this pool are
        begun = self._effects.begun(child.number)
        stuck: list[int] = []
        for ordinal, job in child.under_way.items():
            # Its time limit counts from its start.
            if ordinal > begun:
                job.since = now  # it has not begun
            elif job.ending:
                if now - job.ending_since >= self._kill_grace:
                    stuck.append(ordinal)
                # Before it is given up: afterwards where it stood cannot be asked.
                elif not job.is_asked and now - job.ending_since >= min(DUMP_SECONDS, self._kill_grace / 2):
                    self._ask_where(child, ordinal, job, now)
            elif job.timeout is not None and now - job.since >= job.timeout:
                self._end(child, ordinal, "timeout", now)
            elif not job.is_long and now - job.since >= LONG_SECONDS:
                job.is_long = True
                self._durations.record_running(job.name, now - job.since)
        # After the loop: giving up changes what it goes through.
        for ordinal in stuck:
            self._end_stuck(child, ordinal, now)
        self._check_loop(child, now)

    def look_at_all(self, children: Iterable[ChildState], now: float) -> bool:
        """Nothing waits in such a child behind another job."""
        return False

    def end_if_running(self, child: ChildState, keys: Set[Key], why: str, now: float) -> None:
        assert isinstance(child, ConcurrentChild)  # noqa: S101 - as above
        begun = self._effects.begun(child.number)
        for job, about in list(child.each()):
            if job.key in keys and job.ordinal <= begun and not about.ending:
                self._end(child, job.ordinal, why, now)

    def check_memory(self, child: ChildState, size_bytes: int, now: float) -> bool:
        """A child beyond its limit gets no more jobs; one far beyond it is killed. Whether it is beyond."""
        child.record_memory(size_bytes, now)
        if size_bytes <= self._max_memory:
            return False
        self._drain(child)
        if size_bytes > MEMORY_TIMES_MAX * self._max_memory and not child.ending:
            child.ending = "memory"
            self._effects.signal(child.number, kill=True)
        return True

    def _end(self, child: ConcurrentChild, ordinal: int, why: str, now: float) -> None:
        about, job = child.under_way[ordinal], child.jobs.job(ordinal)
        if job is not None:
            about.ending, about.ending_since = why, now
            log_ending(self._report, why, job)
            self._effects.notify(child.number, ordinal, "cancel" if why == "lost" else why)

    def _ask_where(self, child: ConcurrentChild, ordinal: int, about: UnderWay, now: float) -> None:
        """It was asked to end and has not: for its report, where does it stand?"""
        about.is_asked = True
        # A loop that stands still answers no notice: its stacks are written by a signal.
        if child.beat_at + STUCK_SECONDS < now:
            self._effects.dump(child.number)
        self._effects.notify(child.number, ordinal, "where")

    def _end_stuck(self, child: ConcurrentChild, ordinal: int, now: float) -> None:
        stack = self._concurrent.stack(child.number, ordinal)
        given_up = child.give_up(ordinal)
        if given_up is None:
            return
        job, about = given_up
        about.stack = stack
        self._report("task.given_up_stuck", level="warning", task=show_id(job.id), name=job.name)
        self._give_up(job, about, now)
        self._drain(child)

    def _drain(self, child: ChildState) -> None:
        """It gets no more jobs, and another child is started in its place."""
        if not child.is_retiring:
            child.is_retiring = True
            # What it has not begun is not made to wait for the child in its place.
            self._requeue(child)
            self._concurrent.replace(child.number)

    def _check_loop(self, child: ConcurrentChild, now: float) -> None:
        beats, holder = self._concurrent.beat(child.number)
        # It turns: all that was noted of its stillness is over.
        if beats != child.beats:
            child.beats, child.beat_at, child.is_blocked, child.is_blocking_logged = beats, now, False, False
            child.is_starving_logged = False
            child.starved = self._concurrent.starved(child.number, now)
            return
        still = now - child.beat_at
        if still >= STUCK_SECONDS:  # a loop that could run and may not is not blocked
            still -= self._starved(child, now)
        about = child.under_way.get(holder)
        if about is not None and about.ending and still >= STUCK_SECONDS:
            self._effects.notify(child.number, holder, "strike")  # again at each tick: code may catch it
        if still < BLOCK_SECONDS:
            return
        if not child.is_blocked:
            child.is_blocked, child.blocked_by = True, holder
            self._effects.dump(child.number)
            self._drain(child)
        elif not child.is_blocking_logged:
            self._log_blocked(child, holder, still)
        elif still >= BLOCK_SECONDS + self._kill_grace and not child.ending and child.has_others(holder):
            child.ending, child.blocked_by = "blocked", holder
            self._effects.signal(child.number, kill=True)

    def _starved(self, child: ConcurrentChild, now: float) -> float:
        """For how many seconds of its stillness it was not the loop's own code that kept it."""
        of_processor, by_threads = self._concurrent.starved(child.number, now)
        processor_before, threads_before = child.starved
        behind = by_threads - threads_before
        if behind >= BLOCK_SECONDS and not child.is_starving_logged:
            child.is_starving_logged = True
            self._report("loop.starved", level="warning", seconds=round(behind, 1), tasks=len(child.jobs))
        return max(0.0, of_processor - processor_before) + behind

    def _log_blocked(self, child: ConcurrentChild, holder: int, seconds: float) -> None:
        child.is_blocking_logged = True
        child.blocking_stack = self._concurrent.stack(child.number, holder)
        job = child.jobs.job(holder)
        of = {} if job is None else {"task": show_id(job.id), "name": job.name}
        lines = child.blocking_stack.splitlines()[:STACK_LINES_SHOWN]
        self._report("loop.blocked", level="warning", seconds=round(seconds, 1), stack="\n".join(lines), **of)
