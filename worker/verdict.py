"""What an exception that left a task makes of its attempt."""

from __future__ import annotations

from ..common.errors import Discard, Retry, Snooze
from ..common.failure import Failure
from ..common.model import OutcomeNumber

Verdict = tuple[int, bytes | None, float | None]
"""The outcome, its body, and after how many seconds the task wishes to be run again."""


def verdict(error: BaseException) -> Verdict:
    body = Failure.of(error).encode()
    match error:
        case Retry():
            return OutcomeNumber.RETRY, body, error.after
        case Snooze():
            return OutcomeNumber.SNOOZE, body, error.seconds
        case Discard():
            return OutcomeNumber.DISCARD, body, None
    return OutcomeNumber.ERROR, body, None
