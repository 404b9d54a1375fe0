"""Tasks that need other tasks, ``get_dependencies``."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..domain.ids import show_id
from ..domain.model import Role
from .method import Contract, Method

DEPENDENCIES: Final = Contract(
    "get_dependencies",
    {
        "results": Method(Role.CLIENT, repeatable=True),
        "of": Method(Role.VIEWER, repeatable=True),
        "rows": Method(Role.VIEWER, repeatable=True),
        "needed_by": Method(Role.VIEWER, repeatable=True),
        "missing": Method(Role.CLIENT, repeatable=True),
    },
)


MISSING_TASKS_MAX: Final = 10_000  # of one call: each is a row that is read, some 3 µs


class NeededRow(NamedTuple):
    """Tasks with consecutive ids that a task needs, or that need it: a row of what ``of`` answers. ``states``: how many of them
    are in each, ``[[state, tasks], …]``."""

    id: bytes
    tasks: int
    queue: str
    name: str
    states: list[list[Any]]


def not_there(id: bytes) -> str:
    """Why a task is refused that needs this one."""
    return (
        f"no task has the id {show_id(id)}, which is needed: it was never submitted to this master, is kept no longer, or is in a queue "
        "that this key may not use"
    )
