"""The outcome of an attempt whose task raised: one function, for processes and threads alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ...common.domain.directives import Discard, Retry, Snooze, Suspended
from ...common.domain.durations import check_delay
from ...common.domain.model import OutcomeNumber
from ...common.errors import CancelRequested, TimeLimit, WouldDeadlock
from ...common.values.exception_text import message
from ...common.values.failure import DEADLOCK, Failure

Verdict = tuple[int, bytes | None, float | None]
"""The outcome, its body, and after how many seconds the task asks to run again."""

WISH_CHARS_MAX: Final = 500


def verdict(error: BaseException, timeout: float | None = None, below: str = "") -> Verdict:
    """Never raises, whatever the exception is and does. ``timeout``: the task's limit in seconds. ``below``: the file of the
    loop, in whose frames a signal may have raised the exception; they are left out of the traceback.

    Only the real class of an exception counts: ``__class__`` may be a property that raises.
    """
    kind = type(error)
    if issubclass(kind, TimeLimit):
        return _interrupted(error, OutcomeNumber.TIMEOUT, timeout, below)
    if issubclass(kind, CancelRequested):
        return _interrupted(error, OutcomeNumber.CANCELLED, timeout, below)
    if issubclass(kind, WouldDeadlock):
        return _deadlock(error)
    if issubclass(kind, Discard):
        return OutcomeNumber.DISCARD, Failure.of(error).encode(), None
    if issubclass(kind, Retry):
        return _again(error, OutcomeNumber.RETRY, "raise tq.Retry(after=…): after", "after")
    if issubclass(kind, Snooze):
        return _again(error, OutcomeNumber.SNOOZE, "raise tq.Snooze(…): seconds", "seconds")
    if issubclass(kind, Suspended):
        outcome, body, after = _again(error, OutcomeNumber.SNOOZE, "ctx.sleep(…): seconds", "seconds")
        if outcome == OutcomeNumber.SNOOZE:  # where it stands in the code is no news: it is no error
            body = Failure("Suspended", message(error, WISH_CHARS_MAX)).encode()
        return outcome, body, after
    return OutcomeNumber.ERROR, Failure.of(error).encode(), None


def _deadlock(error: BaseException) -> Verdict:
    """The task, or one that it waited for, found no slot for what it waits for: a retry would find none either."""
    found = replace(Failure.of(error), type=WouldDeadlock.__name__, detail={"outcome": DEADLOCK})
    return OutcomeNumber.DISCARD, found.encode(), None


def _again(error: BaseException, outcome: OutcomeNumber, name: str, attribute: str) -> Verdict:
    """A delay that cannot be used is the attempt's failure; the master never receives it. It was checked when the exception
    was made, but the task may have replaced the attribute since."""
    # First: reading the attribute below may raise, and then the traceback is still known.
    failure = Failure.of(error)
    try:
        wish: Any = getattr(error, attribute)
        return (
            outcome,
            failure.encode(),
            None if wish is None and outcome == OutcomeNumber.RETRY else check_delay(name, wish),
        )
    except BaseException as wrong:
        text = message(wrong, WISH_CHARS_MAX)
        return OutcomeNumber.ERROR, Failure("InvalidArgument", text, failure.traceback).encode(), None


def _interrupted(error: BaseException, outcome: OutcomeNumber, timeout: float | None, below: str) -> Verdict:
    kind = TimeLimit if outcome == OutcomeNumber.TIMEOUT else CancelRequested
    detail = {"outcome": "timeout"} if kind is TimeLimit else {}
    traceback = Failure.of(error, below=below).traceback
    return (
        outcome,
        Failure(kind.__name__, interruption_message(kind, timeout), traceback, detail).encode(),
        None,
    )


def interruption_message(kind: type[BaseException], timeout: float | None) -> str:
    """The message of a time limit or a cancel that is raised inside a task."""
    if issubclass(kind, CancelRequested):
        return "cancelled while it ran"
    return "a time limit was raised" if timeout is None else f"it took longer than its limit of {timeout:g} s"
