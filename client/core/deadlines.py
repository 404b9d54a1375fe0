"""How long a call may wait: timeouts as ``queue`` and ``threading`` take them."""

from __future__ import annotations

import threading
import time
from typing import Final

GIVE_UP_SECONDS: Final = 1.0  # a master that is away does not hold a timeout up for longer than this
RETRY_SECONDS: Final = 0.2  # between tries while the master's disk fails


def deadline_in(seconds: float | None) -> float | None:
    """On the monotonic clock; None: no end. What is over at once is tried once.

    Raises OverflowError beyond ``threading.TIMEOUT_MAX`` and ValueError for what is no number of seconds.
    """
    if seconds is None:
        return None
    if seconds > threading.TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    return time.monotonic() + seconds


def rest_of(deadline: float | None) -> float | None:
    """Seconds that are left, at least 0."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def pause_before(deadline: float | None) -> bool:
    """Wait a little, to try again. False: there is no time for that."""
    if deadline is not None and time.monotonic() + RETRY_SECONDS > deadline:
        return False
    threading.Event().wait(RETRY_SECONDS)
    return True
