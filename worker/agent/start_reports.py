"""What children have begun, as the master is told it. Pure.

The master shows a task as running when its worker has told that it began. A worker tells what it runs with every beat, and
besides at most four times a second when something runs that was not told: a task that is over in a tenth of a second is
told by its end alone, so that short tasks cost no message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .effects import ChildState, Effects
from .jobs import Job
from .task_durations import LONG_SECONDS

REPORT_SECONDS: Final = 0.25  # from one telling to the next


class StartReports:
    """``children`` is the agent's own table of them."""

    def __init__(self, children: Mapping[int, ChildState], effects: Effects) -> None:
        self._children, self._effects = children, effects
        self._reported: set[int] = set()  # ordinals
        self._reported_at = 0.0

    def running(self) -> list[Job]:
        """The jobs that children are at."""
        found = (child.running(self._effects) for child in self._children.values() if child.jobs)
        return [job for job in found if job is not None]

    def rows(self, now: float) -> list[list[Any]]:
        """``[id, attempt, lease, seconds]`` of what runs, and for how long as far as that was seen."""
        seconds = self._seconds(now)
        return [[*job.held, seconds.get(job.ordinal, 0.0)] for job in self.running()]

    def begun(self, now: float) -> dict[int, float]:
        """Everything that a child has begun and that is not reported, by ordinal: for how many seconds."""
        seconds = self._seconds(now)
        return {
            job.ordinal: seconds.get(job.ordinal, 0.0)
            for child in self._children.values()
            if child.jobs
            for job in list(child.jobs)[: max(0, len(child.jobs) - self._effects.unread(child.number))]
        }

    def send_due(self, now: float) -> None:
        """Have the master told of what has run for a while and was not told. A message that is lost is repeated by the
        next beat."""
        if now - self._reported_at < REPORT_SECONDS:
            return
        long = {ordinal for ordinal, seconds in self._seconds(now).items() if seconds >= LONG_SECONDS}
        if not long <= self._reported:
            self._reported, self._reported_at = long, now
            self._effects.began(self.rows(now))

    def _seconds(self, now: float) -> dict[int, float]:
        """Of the jobs that were seen running, by ordinal."""
        return {
            child.current: max(0.0, now - child.since)
            for child in self._children.values()
            if child.jobs and any(job.ordinal == child.current for job in child.jobs)
        }
