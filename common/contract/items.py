"""Queues of plain values: ``get_queue``, and what ``get_task_queue`` and ``get_result_queue`` have besides tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ..domain.model import Role
from .method import Contract, Method

ITEM_METHODS: Final[Mapping[str, Method]] = {
    "make": Method(Role.CLIENT, repeatable=True, one_way=True),
    "put": Method(Role.CLIENT, repeatable=True),
    "give_up_put": Method(Role.CLIENT, repeatable=True),
    "get": Method(Role.CLIENT, repeatable=True),
    "give_up_get": Method(Role.CLIENT, repeatable=True),
    "confirm": Method(Role.CLIENT, repeatable=True, one_way=True),
    "release": Method(Role.CLIENT, repeatable=True, one_way=True),
    "task_done": Method(Role.CLIENT, repeatable=True, one_way=True),
    "join": Method(Role.CLIENT, repeatable=True),
    "shutdown": Method(Role.CLIENT, repeatable=True, one_way=True),
    "reopen": Method(Role.CLIENT, repeatable=True, one_way=True),
    "size": Method(Role.VIEWER, repeatable=True),
    "peek": Method(Role.VIEWER, repeatable=True),
}
QUEUE: Final = Contract("get_queue", ITEM_METHODS)


class QueueSize(NamedTuple):
    """What ``size`` answers. ``maxsize`` 0: no bound."""

    waiting: int
    maxsize: int
    kind: str
    unfinished: int
