"""How long a call may wait: timeouts with the meaning they have in ``queue`` and ``threading``."""

from __future__ import annotations

import threading
import time
from typing import Final

GIVE_UP_SECONDS: Final = 1.0  # an unreachable master extends a caller's timeout by at most this
RETRY_SECONDS: Final = 0.2  # between tries while the master's disk fails


def deadline_in(seconds: float | None) -> float | None:
    """The deadline on the monotonic clock; None: no deadline. With a timeout of 0 the call is still tried once.

    Raises OverflowError beyond ``threading.TIMEOUT_MAX`` and ValueError for NaN.
    """
    if seconds is None:
        return None
    # As ``threading`` and ``queue`` do, whose callers are meant to notice no difference.
    if seconds > threading.TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    return time.monotonic() + seconds


def rest_of(deadline: float | None) -> float | None:
    """Seconds that are left, at least 0."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def pause_before(deadline: float | None) -> bool:
    """Wait before another try. False: the deadline is too near for one."""
    if deadline is not None and time.monotonic() + RETRY_SECONDS > deadline:
        return False
    threading.Event().wait(RETRY_SECONDS)
    return True
