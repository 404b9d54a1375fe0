"""Steps of running tasks: ``get_steps``. Each call is of an attempt, which names itself by its task's id, its number and its lease."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..domain.model import Role
from .method import Contract, Method

STEPS: Final = Contract(
    "get_steps",
    {  # a task's step has one number: the second call with it finds what the first one wrote
        "recorded": Method(Role.CLIENT, repeatable=True),
        "record": Method(Role.CLIENT, repeatable=True),
        "sleep": Method(Role.CLIENT, repeatable=True),
    },
)


class RecordedStep(NamedTuple):
    """A row of ``recorded``. ``kind``: a StepKind. ``left``: seconds, of a sleep whose time has not come."""

    number: int
    kind: int
    name: str
    left: float
    body: bytes | None


class ShownStep(NamedTuple):
    """A step as ``show`` answers it. Unix seconds; ``size``: bytes of what it returned."""

    number: int
    kind: int
    name: str
    attempt: int
    recorded: float
    seconds: float | None
    until: float | None
    size: int
