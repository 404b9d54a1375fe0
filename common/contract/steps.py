"""Steps of running tasks, and signals to tasks: ``get_steps``. An attempt names itself by its task's id, its number and its lease."""

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
        "wait": Method(Role.CLIENT, repeatable=True),
        "signal": Method(Role.CLIENT, repeatable=True, one_way=True),  # the caller names it
    },
)


class RecordedStep(NamedTuple):
    """A row of ``recorded``, and the answer to ``wait``. ``kind``: a StepKind. ``left``: seconds, of a sleep or wait that is not
    over. ``body``: of a signal a SentSignal, packed."""

    number: int
    kind: int
    name: str
    left: float
    body: bytes | None


class SentSignal(NamedTuple):
    """A signal as the task that waited for it gets it. ``at``: Unix seconds."""

    value: bytes
    key: str
    role: str
    at: float


class ShownSignal(NamedTuple):
    """A signal as ``show`` answers it. ``step``: the number of the step that took it, if one has."""

    name: str
    key: str
    role: str
    at: float
    size: int
    step: int | None


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
