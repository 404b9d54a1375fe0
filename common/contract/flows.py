"""Flows: tasks that are one thing to people, ``get_flows``."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..domain.model import Role
from .method import Audited, Contract, Method

FLOWS: Final = Contract(
    "get_flows",
    {
        "open": Method(Role.CLIENT, repeatable=True),  # the caller names it
        "seal": Method(Role.CLIENT, repeatable=True, one_way=True),
        "call_back": Method(Role.CLIENT, repeatable=True, one_way=True),  # the caller names the callback
        "cancel": Method(Role.CLIENT, repeatable=True, audited=Audited("cancelled flow", "flow")),
        # the caller names the run that it wants after
        "retry": Method(Role.CLIENT, repeatable=True, audited=Audited("retried flow", "flow")),
        "wait": Method(Role.VIEWER, repeatable=True),
        "show": Method(Role.VIEWER, repeatable=True),
        "members": Method(Role.VIEWER, repeatable=True),
        "graph": Method(Role.VIEWER, repeatable=True),
        "list": Method(Role.VIEWER, repeatable=True),
        "meant": Method(Role.VIEWER, repeatable=True),
        "of_task": Method(Role.VIEWER, repeatable=True),
    },
)


class MemberRow(NamedTuple):
    """Tasks of a flow that were accepted together, in the answer to ``members``: the place of the first among all of the flow, its
    id, and how many they are; their ids are consecutive."""

    place: int
    first: bytes
    tasks: int


class GraphRow(NamedTuple):
    """The same tasks in the answer to ``graph``. ``states``: ``[[state, tasks], …]``; ``started``: when the first began, ``finished``:
    when the last one that has ended did, Unix seconds; ``needs``: ``[[first id, how many], …]``, with ``each`` the i-th task needs the
    i-th of its one run; ``left_out``: so many runs more are not in the answer."""

    first: bytes
    tasks: int
    queue: str
    name: str
    states: list[list[int]]
    started: float | None
    finished: float | None
    each: bool
    needs: list[list[Any]]
    left_out: int
