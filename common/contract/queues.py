"""What operators see of all queues, of tasks and of plain values."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Audited, Contract, Method

QUEUES: Final = Contract(
    "get_queues",
    {
        "list": Method(Role.VIEWER, repeatable=True),
        "delete": Method(Role.ADMIN, audited=Audited("deleted item queue", "name", counts=True)),
        "set": Method(
            Role.ADMIN, repeatable=True, one_way=True, audited=Audited("set bound of queue", "name")
        ),
    },
)
