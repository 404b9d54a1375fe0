"""How a fetch can end without a result: put off, or refused for good. ``tq_detail`` becomes ``TaskError.detail``."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any, Final

import tq

# A page decides when it is asked again, not that a task waits for years
RETRY_AFTER_SECONDS_MAX: Final = 3_600.0


class Unavailable(tq.Retry):
    """Not fetched now: the server said 429 or 5xx, or there was no complete answer."""

    def __init__(
        self, message: str, detail: dict[str, Any] | None = None, after: float | None = None
    ) -> None:
        super().__init__(message, after=after)
        self.tq_detail = detail or {}


class Refused(tq.Discard):
    """Not fetched, and never will be: what was asked for, or what came, is not allowed or too large."""

    def __init__(self, message: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.tq_detail = detail or {}


def retry_after(value: str | None, now: float | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, at most an hour; None if there is none that can be understood, or if it asks
    for no pause: then the task's own backoff decides. ``now``: Unix time."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now)
        except (ValueError, TypeError, OverflowError):
            return None
    return min(seconds, RETRY_AFTER_SECONDS_MAX) if seconds > 0 else None
