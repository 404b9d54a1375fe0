"""What a task raises to direct its own fate. No errors of tq: they end an attempt as the task wants it to end."""

from __future__ import annotations

from datetime import timedelta

from ..errors import Portable
from .durations import check_delay


class Suspended(BaseException):
    """Leaves the body of a task that goes on later, without a slot until then.

    A BaseException, so that ``except Exception`` does not take it for a failure, while ``finally`` runs. ``seconds``: until
    then.
    """

    def __init__(self, seconds: float, message: str) -> None:
        super().__init__(message)
        self.seconds = seconds


class Directive(Portable):
    """Base of what a task raises to direct its own fate."""


class Retry(Directive):
    """Raised by a task: try it again later. This counts against ``retries``.

    Args:
        message: Why, for ``tq show``.
        after: Seconds or a timedelta to wait, from 0 to ten years; by default the task's usual backoff.

    Raises:
        InvalidArgument: ``after`` is something else.
    """

    def __init__(self, message: str = "", *, after: float | timedelta | None = None) -> None:
        super().__init__(message or "the task asked to be tried again")
        self.after = None if after is None else check_delay("tq.Retry(after=…): after", after)


class Discard(Directive):
    """Raised by a task: give it up. It ends failed, whatever retries are left.

    Args:
        message: Why, for ``tq show`` and the TaskError.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message or "the task gave itself up")


class Snooze(Directive):
    """Raised by a task: run it again later. This counts against nothing.

    Args:
        seconds: Seconds or a timedelta to wait, from 0 to ten years; at least a tenth of a second passes.

    Raises:
        InvalidArgument: ``seconds`` is something else.
    """

    def __init__(self, seconds: float | timedelta) -> None:
        self.seconds = check_delay("tq.Snooze(…): seconds", seconds)
        super().__init__(f"the task asked to be run again in {self.seconds:g} s")
