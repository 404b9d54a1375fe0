"""How much there may be in one named value, by what it takes to read and write: whatever is done with all of it holds up everybody
for that long, and a limit of bytes does not bound it. A list of 4 MiB may be a million numbers, or a million tuples, which take sixty
times longer. Pure."""

from __future__ import annotations

from typing import Final

from ...common.errors import InvalidArgument
from ...common.values.elements import CONTAINER_STEPS, EXT_STEPS

EFFORT_MAX: Final = 1_000_000  # of one, and of the arguments of one call: half a second
CALLS_EFFORT_MAX: Final = 500_000  # of the calls since it was written, before it is written anew
CALL_EFFORT: Final = 40  # what making one again takes besides its arguments


def check_effort(effort: int, effort_max: int) -> None:
    if effort > effort_max:
        raise InvalidArgument(
            "this object would have more values than are read and written in half a second: about "
            f"{effort_max:,} numbers or texts, {effort_max // CONTAINER_STEPS:,} lists, or {effort_max // EXT_STEPS:,} "
            "tuples, dates and the like; keep it in several"
        )
