"""Limits of tasks that run or start: what holds under each name, ``get_limits``."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Contract, Method

LIMITS: Final = Contract(
    "get_limits",
    {
        "list": Method(Role.VIEWER, repeatable=True),
        "show": Method(Role.VIEWER, repeatable=True),
        "set": Method(Role.ADMIN, repeatable=True),
        "reset": Method(Role.ADMIN, repeatable=True),
        "remove": Method(Role.ADMIN, one_way=True),  # the second time there is none of that name
    },
)
