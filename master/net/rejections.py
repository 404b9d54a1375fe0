"""Logs rejected connections in a bounded number of lines, and counts all of them. Pure: time is passed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

LINES_AT_ONCE: Final = 10
SECONDS_A_LINE: Final = 6.0  # after those; the next line says how many were left out


class RejectionLog:
    """``report``: as the master's, ``report(action, level, **fields)``; of this ``action``."""

    def __init__(self, report: Callable[..., Any], action: str) -> None:
        self._report, self._action = report, action
        self.total = 0  # logged or not
        self._lines, self._as_of, self._left_out = float(LINES_AT_ONCE), 0.0, 0

    def record(self, address: str, error: str, now: float) -> None:
        self.total += 1
        self._lines = min(LINES_AT_ONCE, self._lines + (now - self._as_of) / SECONDS_A_LINE)
        self._as_of = now
        if self._lines < 1:
            self._left_out += 1
            return
        self._lines -= 1
        more = {"left_out": self._left_out} if self._left_out else {}
        self._left_out = 0
        self._report(self._action, level="warning", address=address, error=error, **more)
