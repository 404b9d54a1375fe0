"""Limits of tasks that run or start: what holds under each name, ``get_limits``."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Audited, Contract, Method

LIMITS: Final = Contract(
    "get_limits",
    {
        "list": Method(Role.VIEWER, repeatable=True),
        "show": Method(Role.VIEWER, repeatable=True),
        "set": Method(Role.ADMIN, repeatable=True, audited=Audited("set limit", "name")),
        "reset": Method(Role.ADMIN, repeatable=True, audited=Audited("reset limit", "name")),
        # the second time there is none of that name
        "remove": Method(Role.ADMIN, one_way=True, audited=Audited("removed limit", "name")),
    },
)
