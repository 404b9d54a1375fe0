"""How long tasks take, and therefore how many are prefetched and sent to a child at once. Pure.

Short tasks travel in large batches, so that not each costs a round trip and a wake-up. Long tasks are taken one at a time,
so that none waits behind another while a slot is free on another worker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from .runs import JobQueue

READ_AHEAD_SECONDS: Final = 0.1  # of work that is held per slot
BATCH_SECONDS: Final = 0.005  # of work that a child is sent at once
SWIFT_SECONDS: Final = 0.002  # what a task usually takes at most, if reports of others may wait for its end
LONG_SECONDS: Final = 0.05  # no task waits in a child behind one that takes so long
BATCH_TASKS_MAX: Final = 1_000
AHEAD_TASKS_MAX: Final = 1_000  # per slot
WEIGHT: Final = 0.2  # of the newest measurement
SECONDS_MIN: Final = 1e-6
NAMES_MAX: Final = 10_000
ROUNDING: Final = 1e-6  # of sums of parts of calls


class TaskDurations:
    """Moving averages of the seconds that tasks take, by name and over all names."""

    def __init__(self) -> None:
        self._by_name: dict[str, float] = {}
        self._overall: float | None = None
        self.together: dict[str, int] = {}  # by name, of how many tasks a child makes one call

    @property
    def usual_seconds(self) -> float | None:
        """What a task takes lately, over all names; None: unknown."""
        return self._overall

    def record(self, name: str, seconds: float) -> None:
        before = self._by_name.get(name)
        if before is None and len(self._by_name) >= NAMES_MAX:
            # All at once: a program that makes up names has no use for what was measured, and another measures its few again.
            self._by_name.clear()
        self._by_name[name] = _mix(before, seconds)
        self._overall = _mix(self._overall, seconds)

    def record_all(self, name: str, seconds: Sequence[float]) -> None:
        """The same for many tasks of one name, in their order."""
        count = len(seconds)
        before, mean = self._by_name.get(name), sum(seconds) / count
        if before is None:
            self.record(name, mean)
            return
        # As ``record`` would come to, one after the other, of equal tasks: one power instead of a thousand steps.
        left = (1 - WEIGHT) ** count
        self._by_name[name] = mean + left * (before - mean)
        self._overall = mean + left * ((mean if self._overall is None else self._overall) - mean)

    def record_running(self, name: str, seconds: float) -> None:
        """A task still runs: it takes at least so long."""
        # Only if it is far off: an average that is right within four times is not changed by one that is slow.
        if seconds > 4 * self._by_name.get(name, 0.0):
            self._by_name[name] = seconds
            self._overall = max(self._overall or 0.0, seconds)

    def record_all_running(self, seconds: float) -> None:
        """Every slot runs a task that has taken at least so long: what is held starts no sooner, however short most tasks are."""
        if seconds > 4 * (self._overall or 0.0):
            self._overall = seconds

    def batch_size(self, name: str) -> int:
        """How many tasks of this name to send to a child at once."""
        if name in self.together:
            return self.together[name]
        seconds = self._by_name.get(name)
        if seconds is None:
            return 1
        return max(1, min(BATCH_TASKS_MAX, int(BATCH_SECONDS / max(seconds, SECONDS_MIN))))

    def is_swift(self, name: str) -> bool:
        """Whether the reports of tasks that are over may wait for the end of one of this name."""
        seconds = self._by_name.get(name)
        return seconds is not None and seconds < SWIFT_SECONDS

    def queued_max(self, name: str) -> int:
        """How many tasks of this name may wait in a child behind the one that it runs. Of those that run together it is calls, and one: it is
        there when the one before it ends."""
        seconds = self._by_name.get(name)
        if seconds is None or seconds >= LONG_SECONDS:
            return 0
        return 1 if name in self.together else self.batch_size(name)

    def calls_of(self, queue: JobQueue) -> int:
        """How many calls these jobs are: those that run together are one."""
        if not self.together:
            return len(queue)
        calls = 0.0
        for run in queue:
            calls += len(run) / self.together.get(run.name, 1)
        return math.ceil(calls)

    def jobs_of(self, queue: JobQueue, calls: int) -> int:
        """How many jobs the last so many calls of a queue are."""
        if not self.together:
            return calls
        jobs, left = 0, float(calls)
        for run in reversed(list(queue)):
            together = self.together.get(run.name, 1)
            fitting = min(len(run), math.ceil(left * together - ROUNDING))
            jobs, left = jobs + fitting, left - fitting / together
            if left < ROUNDING:
                break
        return jobs

    def prefetch(self, slots: int) -> int:
        """How many tasks to hold in all, for so many slots."""
        if self._overall is None or self._overall >= LONG_SECONDS:
            return slots
        return slots * max(2, min(AHEAD_TASKS_MAX, int(READ_AHEAD_SECONDS / max(self._overall, SECONDS_MIN))))


def _mix(before: float | None, seconds: float) -> float:
    return seconds if before is None else before + WEIGHT * (seconds - before)
