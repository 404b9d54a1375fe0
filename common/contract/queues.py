"""What operators see of all queues, of tasks and of plain values."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Contract, Method

QUEUES: Final = Contract(
    "get_queues",
    {
        "list": Method(Role.VIEWER, repeatable=True),
        "delete": Method(Role.ADMIN),
        "set": Method(Role.ADMIN, repeatable=True, one_way=True),
    },
)
