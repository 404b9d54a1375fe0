"""Tasks: where they are submitted, where their outcomes are collected, and what is asked about them by id or filter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, Final, NamedTuple

from ..domain.id_runs import IdRun, is_run
from ..domain.model import Role
from ..errors import ProtocolError
from ..values.brief import brief
from .items import ITEM_METHODS
from .method import Contract, Method
from .rows import all_from_wire

TASK_QUEUE: Final = Contract(
    "get_task_queue",
    {
        **ITEM_METHODS,
        "submit": Method(Role.CLIENT, repeatable=True),
        "pause": Method(Role.ADMIN, repeatable=True, one_way=True),
        "resume": Method(Role.ADMIN, repeatable=True, one_way=True),
    },
)
RESULT_QUEUE: Final = Contract(
    "get_result_queue",
    {  # what is watched belongs to a session: a client watches again on the next one, and repeats no call for it
        **ITEM_METHODS,
        "watch": Method(Role.CLIENT, one_way=True),
        "unwatch": Method(Role.CLIENT, one_way=True),
        "collect": Method(Role.CLIENT),
    },
)
TASKS: Final = Contract(
    "get_tasks",
    {
        "states": Method(Role.VIEWER, repeatable=True),
        "show": Method(Role.VIEWER, repeatable=True),
        "why": Method(Role.VIEWER, repeatable=True),
        "log": Method(Role.VIEWER, repeatable=True),
        "last_runs": Method(Role.VIEWER, repeatable=True),
        "progress": Method(Role.VIEWER, repeatable=True),
        "list": Method(Role.VIEWER, repeatable=True),
        "lines": Method(Role.VIEWER, repeatable=True),
        "meant": Method(Role.VIEWER, repeatable=True),
        "select": Method(Role.VIEWER, repeatable=True),
        "cancel": Method(Role.CLIENT, repeatable=True),
        "cancel_where": Method(Role.CLIENT, repeatable=True),
        "retry": Method(
            Role.CLIENT
        ),  # a task that was retried and has failed since would be retried once more
        "retry_where": Method(Role.CLIENT),
        "purge": Method(Role.ADMIN, repeatable=True),
    },
)


class OutcomeRow(NamedTuple):
    """What ``collect`` answers of a task that has ended. ``state`` −1: there is no such task; ``body``: its result, or a
    failure. Of a run of tasks in the same state, ``id`` is that of the first and ``body`` a list."""

    id: bytes
    state: int
    body: bytes | None


def outcomes_of_each(rows: Sequence[Any]) -> list[OutcomeRow]:
    """The answer to ``collect``, with a row for each task; raises ProtocolError."""
    answered = all_from_wire(OutcomeRow, rows)
    opened: list[OutcomeRow] = []
    for row in answered:
        bodies: Any = row.body
        if not isinstance(bodies, list):
            opened.append(row)
        elif is_run(row.id, len(bodies)):
            ids = IdRun(row.id, len(bodies)).ids()
            opened += map(OutcomeRow._make, zip(ids, repeat(row.state), bodies))
        else:
            raise ProtocolError(f"the master sent the outcomes of no run of tasks: {brief(row, 80)}")
    return opened


class StateRow(NamedTuple):
    """What ``states``, ``cancel`` and ``retry`` answer of a task. ``state`` −1: there is no such task."""

    id: bytes
    state: int


class LastRun(NamedTuple):
    """What ``last_runs`` answers of a task's last attempt. Unix seconds."""

    id: bytes
    worker: str | None
    started: float | None
    finished: float | None


class RunningProgress(NamedTuple):
    """What ``progress`` answers about a running task that has reported its progress."""

    id: bytes
    started: float
    done: float
    total: float | None
    note: str


class TaskProgress(NamedTuple):
    """How far a task is, in the maps that ``show``, ``log`` and the listings answer. ``at``: when it said so, Unix seconds."""

    done: float
    total: float | None
    note: str
    at: float


class StateCount(NamedTuple):
    """How many tasks of a portion are in a state."""

    state: int
    tasks: int
