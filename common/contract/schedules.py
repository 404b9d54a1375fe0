"""Schedules: what is due at certain times, ``get_schedules``."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..domain.model import Role
from .method import Audited, Contract, Method

SCHEDULES: Final = Contract(
    "get_schedules",
    {
        "declare": Method(Role.WORKER, repeatable=True),
        "add": Method(Role.CLIENT, repeatable=True, audited=Audited("added schedule", "name")),
        "edit": Method(Role.CLIENT, repeatable=True, audited=Audited("changed schedule", "name")),
        "pause": Method(
            Role.CLIENT, repeatable=True, one_way=True, audited=Audited("paused schedule", "name")
        ),
        "resume": Method(
            Role.CLIENT, repeatable=True, one_way=True, audited=Audited("resumed schedule", "name")
        ),
        # the second time there is none of that name
        "remove": Method(Role.CLIENT, one_way=True, audited=Audited("removed schedule", "name")),
        # the caller names the run
        "run_now": Method(Role.CLIENT, repeatable=True, audited=Audited("ran schedule now", "name")),
        # a moment has one task
        "backfill": Method(
            Role.CLIENT, repeatable=True, audited=Audited("backfilled schedule", "name", counts=True)
        ),
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
