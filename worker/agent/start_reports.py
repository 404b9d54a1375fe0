"""What children have begun, as it is reported to the master. Pure.

The master shows a task as running when its worker has reported that it began. A worker reports what runs with every heartbeat,
and besides at most four times a second what has run for a while and was not reported yet. A task that is over within a tenth of a second
is reported by its end alone, so that short tasks cost no message. Where hundreds run at a time and soon end, most of what is reported is soon
over: after many in one report the next one comes later, up to a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .effects import ChildEffects, ChildState, MasterEffects
from .jobs import Job
from .task_durations import LONG_SECONDS

REPORT_SECONDS: Final = 0.25  # between two reports besides the heartbeats, at least;
ROWS_PER_SECOND: Final = 200  # longer after one of many tasks,
LATE_SECONDS_MAX: Final = 1.0  # but no longer than this


def seconds_between(tasks: int) -> float:
    """Until the next report, after one of so many tasks."""
    return min(LATE_SECONDS_MAX, max(REPORT_SECONDS, tasks / ROWS_PER_SECOND))


class StartReports:
    """``children`` is the agent's own table of them."""

    def __init__(
        self, children: Mapping[int, ChildState], runners: ChildEffects, master: MasterEffects
    ) -> None:
        self._children, self._runners, self._master = children, runners, master
        self._reported: set[int] = set()  # ordinals
        self._due_at = 0.0

    def running(self) -> list[Job]:
        """The jobs that each child runs for certain: what was reported as begun is never handed back as unstarted."""
        children = (child for child in self._children.values() if child.jobs)
        return [job for child in children for job in child.begun_for_certain(self._runners)]

    def rows(self, now: float) -> list[list[Any]]:
        """``[id, attempt, lease, seconds]`` of what runs; the seconds count from when it was first seen running."""
        seconds = self._seconds(now)
        return [[*job.held, seconds.get(job.ordinal, 0.0)] for job in self.running()]

    def rows_in_hand(self, now: float) -> list[list[Any]]:
        """``[id, attempt, lease]`` of all that children have; the seconds are behind what has begun. Of neighbours, one row."""
        rows: list[list[Any]] = []
        for child in self._children.values():
            if child.jobs:
                rows += child.rows(self._runners.begun(child.number), now)
        return rows

    def send_due(self, now: float) -> None:
        """Report what has run for a while and was not reported yet. A message that is lost is made good by the next
        heartbeat."""
        if now < self._due_at:
            return
        seconds = self._seconds(now)
        long = {ordinal for ordinal, lasted in seconds.items() if lasted >= LONG_SECONDS}
        if long <= self._reported:
            return
        rows = {
            job.ordinal: [*job.held, seconds[job.ordinal]] for job in self.running() if job.ordinal in long
        }
        new = [row for ordinal, row in rows.items() if ordinal not in self._reported]
        # Replaced, not added to: ordinals of what is over must not pile up.
        self._reported = set(rows)
        if new:
            self._due_at = now + seconds_between(len(new))
            self._master.began(new)

    def _seconds(self, now: float) -> dict[int, float]:
        """The seconds of each job that was seen running, by ordinal."""
        seconds: dict[int, float] = {}
        for child in self._children.values():
            seconds |= child.seconds(now)
        return seconds
