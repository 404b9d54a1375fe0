"""Logs what may happen very often in a bounded number of lines, and counts what was left out. Pure: time is passed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

LINES_AT_ONCE: Final = 10
SECONDS_A_LINE: Final = 6.0  # after those; the next line says how many were left out


class LineBounds(NamedTuple):
    at_once: int
    seconds_a_line: float


BOUNDS: Final = LineBounds(LINES_AT_ONCE, SECONDS_A_LINE)


class LimitedLog:
    """Records of one ``action``. ``report``: as a program's log, ``report(action, level, **fields)``."""

    def __init__(
        self,
        report: Callable[..., Any],
        action: str,
        *,
        level: str = "warning",
        bounds: LineBounds = BOUNDS,
    ) -> None:
        self._report, self._action, self._level = report, action, level
        self._bounds = bounds
        self._lines, self._as_of = float(bounds.at_once), 0.0
        self.left_out = 0  # since the last line

    def write(self, now: float, **fields: Any) -> None:
        """One record, or one more that is left out. ``now``: monotonic seconds."""
        if not self._may_write(now):
            self.left_out += 1
            return
        more = {"left_out": self.left_out} if self.left_out else {}
        self.left_out = 0
        self._report(self._action, level=self._level, **fields, **more)

    def count_rest(self, now: float) -> None:
        """Log how many were left out, if there are any and a line is free: no further record may come that would say it."""
        if self.left_out and self._may_write(now):
            count, self.left_out = self.left_out, 0
            self._report("log.left_out", level=self._level, of=self._action, count=count)

    def _may_write(self, now: float) -> bool:
        self._lines = min(
            self._bounds.at_once, self._lines + (now - self._as_of) / self._bounds.seconds_a_line
        )
        self._as_of = now
        if self._lines < 1:
            return False
        self._lines -= 1
        return True
