"""Steps of a task that are recorded as they are done, so that a later attempt does not repeat them: their kinds and limits. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final

from ..errors import InvalidArgument
from ..values.brief import brief

STEPS_MAX: Final = 1_000  # of one task: what an attempt that is repeated has to fetch
STEP_BYTES_MAX: Final = 1024 * 1024  # of what one step returned, encoded
# Of all steps of one task: what a task may take of the master's disk
STEPS_BYTES_MAX: Final = 16 * 1024 * 1024
STEP_NAME_CHARS_MAX: Final = 100  # of a step's or signal's name: it stands in a table and in messages
SIGNALS_MAX: Final = 100  # of one task: they are kept until it takes them
SIGNAL_BYTES_MAX: Final = 64 * 1024  # of what one signal carries, encoded
SENDERS: Final = ("client", "admin")  # the roles of keys that may send signals
SLEEP: Final = "sleep"  # the name of every ctx.sleep


class StepKind(enum.IntEnum):
    """What a step is, as it stands in the store and on the wire. ``str()`` gives its name."""

    CALL = 0  # a function was called; body: what it returned
    SLEEP = 1  # time passed; there is no body
    WAIT = 2  # it waits for a signal, which has not come
    SIGNAL = 3  # the signal came; body: the signal
    TIMEOUT = 4  # it did not come in time; there is no body

    def __str__(self) -> str:
        return self.name.lower()


WAITS: Final = frozenset({StepKind.WAIT, StepKind.SIGNAL, StepKind.TIMEOUT})
"""What ``ctx.wait_for`` is, before and after the decision."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """What ``ctx.wait_for`` returns.

    Attributes:
        name: Its name.
        value: What was sent with it.
        key: The id of the key that sent it, as ``tq keys list`` shows it.
        role: The role of that key: ``client`` or ``admin``.
        at: Unix seconds at which the master had it.
    """

    name: str
    value: Any
    key: str
    role: str
    at: float


def check_step_name(kind: str, name: Any) -> str:
    """The name of a step or signal: 1 to 100 printable characters; raises InvalidArgument."""
    if not isinstance(name, str) or not 1 <= len(name) <= STEP_NAME_CHARS_MAX or not name.isprintable():
        raise InvalidArgument(
            f"the name of a {kind} is 1 to {STEP_NAME_CHARS_MAX} printable characters, not {brief(name, 120)}"
        )
    return name
