"""Numbers and durations that callers give: judged in one place, whatever they are. Pure."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

from ..errors import InvalidArgument
from ..values.brief import brief

DELAY_SECONDS_MAX: Final = 366 * 24 * 3600.0 * 10  # ten years: beyond it a delay is a typing error
SHOWN_BITS_MAX: Final = 256  # of an int in an error: Python refuses to write out very long ones


def check_number(
    name: str, value: object, low: float, high: float, *, whole: bool = False, none: bool = False
) -> None:
    """Raises InvalidArgument for all but a finite number from ``low`` to ``high``, or None where it may be."""
    if value is None and none:
        return
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not _is_finite(value):
        raise InvalidArgument(f"{name} must be a {'whole ' if whole else ''}number, not {_shown(value)}")
    if not low <= value <= high:
        raise InvalidArgument(f"{name}={_shown(value)} is out of range; {low:g} to {high:,.10g}")


def check_delay(name: str, value: object) -> float:
    """Seconds of a delay, given as a number of them or as a timedelta: of ``delay=``, ``Retry(after=…)`` and
    ``Snooze(…)``. Raises InvalidArgument with the range for anything else."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    try:
        check_number(name, seconds, 0, DELAY_SECONDS_MAX)
    except InvalidArgument as error:
        allowed = f"seconds from 0 to {DELAY_SECONDS_MAX:,.0f} (ten years), or a timedelta"
        raise InvalidArgument(f"{error}; allowed are {allowed}") from None
    return float(seconds)  # type: ignore[arg-type]  # a float of its own kind (numpy's) becomes one of Python's


def _is_finite(value: int | float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > SHOWN_BITS_MAX:
        return f"an int of {value.bit_length():,} bits"
    return f"{brief(value, 80)}"


def span(seconds: float) -> str:
    """A duration in one unit a person reads at a glance."""
    for unit, size in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms"


def every(seconds: float) -> str:
    """An interval, exactly: ``every minute``, ``every 90 s``, ``every 2 h``."""
    for unit, name, size in (
        ("d", "day", 86_400),
        ("h", "hour", 3_600),
        ("min", "minute", 60),
        ("s", "second", 1),
    ):
        if seconds == size:
            return f"every {name}"
        if seconds >= size and seconds % size == 0:
            return f"every {seconds / size:.0f} {unit}"
    return f"every {seconds:g} s"
