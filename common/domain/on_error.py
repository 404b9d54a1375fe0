"""What becomes of a task when tasks that it needs do not succeed: the option ``on_error``. Pure.

``"fail"``: all must succeed. ``"collect"``: none must. A number: so many must. A task fails as soon as too few can, and runs when
all have ended. ``"catch"``: it runs when all have ended and one has not succeeded, and is cancelled when all have.
"""

from __future__ import annotations

import enum
from typing import Final

from ..errors import InvalidArgument
from ..values.brief import brief

FAIL: Final = "fail"
COLLECT: Final = "collect"
CATCH: Final = "catch"
ONE_FAILED: Final = -1  # in the place of how many must succeed: one must not
# Tasks that one task may need: the states of all are looked at when it is submitted
NEEDED_MAX: Final = 1_000_000


class AtLeast(int):
    """So many must succeed; made by ``at_least``."""

    def __repr__(self) -> str:
        return f"tq.at_least({int(self)})"


def at_least(tasks: int) -> AtLeast:
    """Run a task when at least so many of the tasks that it needs have succeeded and all have ended.

    Args:
        tasks: How many must succeed.

    Returns:
        A value for the option ``on_error``.

    Raises:
        InvalidArgument: It is not a whole number from 0 to 1,000,000.

    Example::

        summary = merge.using(on_error=tq.at_least(90)).submit(fetch.map(urls))
    """
    if type(tasks) is not int or not 0 <= tasks <= NEEDED_MAX:
        raise InvalidArgument(f"at_least takes a whole number from 0 to {NEEDED_MAX:,}, not {brief(tasks)}")
    return AtLeast(tasks)


def check_on_error(value: object) -> None:
    """Raises InvalidArgument."""
    if value in (FAIL, COLLECT, CATCH) and isinstance(value, str):
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= NEEDED_MAX:
        raise InvalidArgument(
            f"on_error={brief(value)} is unknown; use 'fail', 'collect', 'catch' or tq.at_least(so many)"
        )


def required(on_error: str | int, needed: int) -> int:
    """How many of the needed tasks must succeed, or ONE_FAILED. Raises InvalidArgument when there are not so many."""
    if on_error == CATCH:
        return ONE_FAILED
    if isinstance(on_error, str):
        return needed if on_error == FAIL else 0
    if on_error > needed:
        raise InvalidArgument(
            f"on_error=tq.at_least({int(on_error):,}): the task needs only {needed:,} other tasks, so it could never run"
        )
    return int(on_error)


class Verdict(enum.Enum):
    WAIT = enum.auto()
    RUN = enum.auto()
    FALL = enum.auto()  # it fails, because too few can succeed
    DROP = enum.auto()  # it is cancelled, because it was for a failure and there is none


def verdict(needed: int, left: int, missed: int, minimum: int) -> Verdict:
    """``left``: how many of the needed have not ended; ``missed``: how many ended without success; ``minimum``: what ``required``
    says."""
    if minimum == ONE_FAILED and not left:
        return Verdict.RUN if missed else Verdict.DROP
    if needed - missed < minimum:
        return Verdict.FALL
    return Verdict.WAIT if left else Verdict.RUN
