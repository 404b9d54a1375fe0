"""Steps of a task that are recorded as they are done, so that a later attempt does not repeat them: their kinds and limits. Pure."""

from __future__ import annotations

import enum
from typing import Any, Final

from ..errors import InvalidArgument
from ..values.brief import brief

STEPS_MAX: Final = 1_000  # of one task: what an attempt that is repeated has to fetch
STEP_BYTES_MAX: Final = 1024 * 1024  # of what one step returned, encoded
STEPS_BYTES_MAX: Final = (
    16 * 1024 * 1024
)  # of all steps of one task: what a task may take of the master's disk
STEP_NAME_CHARS_MAX: Final = 100  # of a step's or signal's name: it stands in a table and in messages
SLEEP: Final = "sleep"  # the name of every ctx.sleep


class StepKind(enum.IntEnum):
    """What a step is, as it stands in the store and on the wire. ``str()`` gives its name."""

    CALL = 0  # a function was called; body: what it returned
    SLEEP = 1  # time passed; there is no body

    def __str__(self) -> str:
        return self.name.lower()


def check_step_name(kind: str, name: Any) -> str:
    """The name of a step or signal: 1 to 100 printable characters; raises InvalidArgument."""
    if not isinstance(name, str) or not 1 <= len(name) <= STEP_NAME_CHARS_MAX or not name.isprintable():
        raise InvalidArgument(
            f"the name of a {kind} is 1 to {STEP_NAME_CHARS_MAX} printable characters, not {brief(name, 120)}"
        )
    return name
