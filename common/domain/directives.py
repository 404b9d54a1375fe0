"""What a task raises to direct its own fate. No errors of tq: they end an attempt as the task wants it to end."""

from __future__ import annotations

from datetime import timedelta

from ..errors import Portable
from .durations import check_delay


class Directive(Portable):
    """Base of what a task raises to direct its own fate."""


class Retry(Directive):
    """Try this task again, after ``after`` (seconds or a timedelta, from 0 to ten years) or its usual backoff. Counts
    against ``retries``. Raises InvalidArgument for any other ``after``."""

    def __init__(self, message: str = "", *, after: float | timedelta | None = None) -> None:
        super().__init__(message or "the task asked to be tried again")
        self.after = None if after is None else check_delay("tq.Retry(after=…): after", after)


class Discard(Directive):
    """Give this task up for good: it ends failed, with this reason, whatever retries are left."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or "the task gave itself up")


class Snooze(Directive):
    """Run this task again in ``seconds`` (or a timedelta, from 0 to ten years; a tenth of a second passes at least).
    Counts against nothing. Raises InvalidArgument for any other time."""

    def __init__(self, seconds: float | timedelta) -> None:
        self.seconds = check_delay("tq.Snooze(…): seconds", seconds)
        super().__init__(f"the task asked to be run again in {self.seconds:g} s")
