"""How often a caller tries again while one master takes over from another. Pure.

::

    NotOwner ─► a take-over may be under way for UNDER_WAY_SECONDS: pauses are short, whatever fails meanwhile

Who takes over has closed the port at which it stood by, and has not opened the one at which it serves: in between no master answers at all,
and pauses that grow as for a host that is gone would outlast that.
"""

from __future__ import annotations

import math
from typing import Final

from ..errors import NotOwner

PAUSE_SECONDS_MAX: Final = 0.5
UNDER_WAY_SECONDS: Final = 30.0  # to load millions of rows takes some


class TakeOver:
    """What one caller knows of it. ``now``: seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._until = -math.inf

    def failed(self, error: Exception, now: float) -> None:
        """An attempt to reach the masters did."""
        if isinstance(error, NotOwner):
            self._until = now + UNDER_WAY_SECONDS

    def bounded(self, pause_seconds: float, now: float) -> float:
        """So long before the next attempt at most."""
        return min(pause_seconds, PAUSE_SECONDS_MAX) if now < self._until else pause_seconds
