"""A limit on the contents of one named value by the time it takes to read and write them. Reading or writing a whole value blocks
the master for that time, which a limit of bytes does not bound: a list of 4 MiB may be a million numbers, or a million tuples,
which take sixty times longer. Pure."""

from __future__ import annotations

from typing import Final

from ...common.errors import InvalidArgument
from ...common.values.elements import CONTAINER_STEPS, EXT_STEPS

EFFORT_MAX: Final = 1_000_000  # of one value, and of the arguments of one call: half a second
# Of the calls stored since the value was written, before it is written again
CALLS_EFFORT_MAX: Final = 500_000
CALL_EFFORT: Final = 40  # of replaying one call, besides its arguments


def check_effort(effort: int, effort_max: int) -> None:
    if effort > effort_max:
        raise InvalidArgument(
            "this object would have more values than can be read and written in half a second: about "
            f"{effort_max:,} numbers or texts, {effort_max // CONTAINER_STEPS:,} lists, or {effort_max // EXT_STEPS:,} "
            "tuples, dates and the like; split it into several"
        )
