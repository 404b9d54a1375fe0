"""Logs rejected connections in a bounded number of lines, and counts all of them. Pure: time is passed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...common.runtime.limited_log import LimitedLog


class RejectionLog:
    """``report``: as the master's, ``report(action, level, **fields)``; of this ``action``."""

    def __init__(self, report: Callable[..., Any], action: str) -> None:
        self._log = LimitedLog(report, action)
        self.total = 0  # logged or not

    def record(self, address: str, error: str, now: float) -> None:
        self.total += 1
        self._log.write(now, address=address, error=error)
