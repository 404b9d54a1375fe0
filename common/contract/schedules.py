"""Schedules: what is due at certain times, ``get_schedules``."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..domain.model import Role
from .method import Contract, Method

SCHEDULES: Final = Contract(
    "get_schedules",
    {
        "declare": Method(Role.WORKER, repeatable=True),
        "add": Method(Role.CLIENT, repeatable=True),
        "edit": Method(Role.CLIENT, repeatable=True),
        "pause": Method(Role.CLIENT, repeatable=True, one_way=True),
        "resume": Method(Role.CLIENT, repeatable=True, one_way=True),
        "remove": Method(Role.CLIENT, one_way=True),  # the second time there is none of that name
        "run_now": Method(Role.CLIENT, repeatable=True),  # the caller names the run
        "backfill": Method(Role.CLIENT, repeatable=True),  # a moment has one task
        "list": Method(Role.VIEWER, repeatable=True),
        "show": Method(Role.VIEWER, repeatable=True),
        "preview": Method(Role.VIEWER, repeatable=True),
    },
)


class DeclaredRow(NamedTuple):
    """A schedule that a worker has in its code: a row of ``declare``."""

    name: str
    definition: dict[str, Any]


class NotAccepted(NamedTuple):
    """A schedule that was declared and is not as it was declared: a row of the answer to ``declare``."""

    name: str
    why: str


class OccurrenceRow(NamedTuple):
    """What became of one instant: a row of the history in ``show``. Times are Unix seconds. ``state``: ``held``, ``skipped``,
    or the state of its task. ``instants``: how many were skipped together, from ``first`` to ``instant``."""

    instant: float
    first: float
    instants: int
    by: str  # time, run-now, backfill
    state: str
    task: bytes | None
    decided: float
    started: float | None
    finished: float | None
    why: str
