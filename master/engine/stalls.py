"""Notices by its own tick that this process stood still: such a time does not count as silence of workers."""

from __future__ import annotations

from typing import Final

from .clock import Now
from .core import Core

# A tick that comes later than this much of one was held up: the process stood still
STALL_TICKS: Final = 0.25


class Stalls:
    def __init__(self, core: Core) -> None:
        self._core = core
        self._ticked = 0  # monotonic ms

    def start(self, now: Now) -> None:
        self._ticked = now.mono

    def next_look(self) -> int | None:
        """Monotonic ms; None: there is no node whose silence has to be noticed."""
        return self._ticked + self._core.limits.tick_ms if self._core.presence.is_watching else None

    def look(self, now: Now) -> None:
        """In every transaction: how long ago was the last one?"""
        # Before anything is judged in this transaction: after a SIGSTOP every worker looks silent.
        gap, self._ticked = now.mono - self._ticked, now.mono
        if self._core.presence.is_watching and gap > self._core.limits.tick_ms * (1 + STALL_TICKS):
            self._core.report("master.stalled", level="warning", seconds=gap / 1000)
            self._core.presence.stalled(gap)
