"""How long tasks take, and so how many to hold: read-ahead in milliseconds of work. Pure.

Short tasks travel in large batches so that neither a round trip nor a wake-up is paid for each; long ones
are taken one at a time so that no task waits behind another while a slot is free elsewhere.
"""

from __future__ import annotations

from typing import Final

READ_AHEAD_SECONDS: Final = 0.1  # of work in hand per slot
BATCH_SECONDS: Final = 0.005  # of work handed to a child at once
LONG_SECONDS: Final = 0.05  # a task this long is never waited behind
BATCH_TASKS_MAX: Final = 256
AHEAD_TASKS_MAX: Final = 1_000  # per slot
WEIGHT: Final = 0.2  # of the newest measurement
SECONDS_MIN: Final = 1e-6
NAMES_MAX: Final = 10_000


class TaskDurations:
    """Moving averages of the seconds a task takes, by name and over all."""

    def __init__(self) -> None:
        self._by_name: dict[str, float] = {}
        self._overall: float | None = None

    def record(self, name: str, seconds: float) -> None:
        before = self._by_name.get(name)
        if before is None and len(self._by_name) >= NAMES_MAX:
            self._by_name.clear()
        self._by_name[name] = _mix(before, seconds)
        self._overall = _mix(self._overall, seconds)

    def record_running(self, name: str, seconds: float) -> None:
        """A task is running still: it is at least this long."""
        if seconds > 4 * self._by_name.get(name, 0.0):
            self._by_name[name] = seconds
            self._overall = max(self._overall or 0.0, seconds)

    def batch_size(self, name: str) -> int:
        """How many of these to hand to a child at once."""
        seconds = self._by_name.get(name)
        if seconds is None:
            return 1
        return max(1, min(BATCH_TASKS_MAX, int(BATCH_SECONDS / max(seconds, SECONDS_MIN))))

    def queued_max(self, name: str) -> int:
        """How many of these may wait in a child behind the one it runs."""
        seconds = self._by_name.get(name)
        return 0 if seconds is None or seconds >= LONG_SECONDS else self.batch_size(name)

    def prefetch(self, slots: int) -> int:
        """How many tasks to hold in all."""
        if self._overall is None or self._overall >= LONG_SECONDS:
            return slots
        return slots * max(2, min(AHEAD_TASKS_MAX, int(READ_AHEAD_SECONDS / max(self._overall, SECONDS_MIN))))


def _mix(before: float | None, seconds: float) -> float:
    return seconds if before is None else before + WEIGHT * (seconds - before)
