"""``tq.Coalesce``: up to so many calls of a function run as one. Pure.

The function gets a list with the argument of each call, and returns as many results in their order. Each call stays a task with an end of
its own. Which of them go together is decided by the master (master/tasks/held.py); a
child process makes them one call (worker/child/together.py).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Final

from ..errors import InvalidArgument
from ..values.brief import brief
from .durations import check_number

CALLS_MAX: Final = 1_000  # of a slice
SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class Coalesce:
    """How many calls run as one, and how long the first one waits for company.

    Attributes:
        calls: How many at most, from 2 to 1,000.
        seconds: How long calls wait for others once a worker is free, when they are fewer, or a timedelta; at most 60.
    """

    calls: int
    seconds: float | datetime.timedelta = 0.1

    def __post_init__(self) -> None:
        if type(self.calls) is not int or not 2 <= self.calls <= CALLS_MAX:
            raise InvalidArgument(
                f"coalesce: calls is a whole number from 2 to {CALLS_MAX:,}, not {brief(self.calls)}; write tq.Coalesce(100, seconds=0.5)"
            )
        given = self.seconds
        seconds = given.total_seconds() if isinstance(given, datetime.timedelta) else given
        check_number("seconds", seconds, 0, SECONDS_MAX)
        object.__setattr__(self, "seconds", float(seconds))

    def to_wire(self) -> list[int]:
        """``[calls, milliseconds]``."""
        return [self.calls, round(float(self.seconds) * 1000)]  # type: ignore[arg-type]


def coalesce_from_wire(given: Any) -> Coalesce:
    """Raises InvalidArgument."""
    match given:
        case [int() as calls, int() as ms] if type(calls) is type(ms) is int:
            return Coalesce(calls, ms / 1000)
    raise InvalidArgument(f"coalesce is [calls, milliseconds], not {brief(given, 80)}")


def check_coalesce(given: object) -> Coalesce | None:
    """The option. Raises InvalidArgument."""
    if given is not None and not isinstance(given, Coalesce):
        raise InvalidArgument(
            f"coalesce={brief(given)} is not a tq.Coalesce; write coalesce=tq.Coalesce(100, seconds=0.5)"
        )
    return given
