"""Tenants of tasks: what is set for each, and what it has, ``get_tenants``."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Audited, Contract, Method

TENANTS: Final = Contract(
    "get_tenants",
    {
        "list": Method(Role.VIEWER, repeatable=True),
        # it sets nothing yet
        "plan": Method(Role.ADMIN, repeatable=True),
        "set": Method(Role.ADMIN, repeatable=True, audited=Audited("set tenant", "name")),
        # the second time there is nothing to remove
        "remove": Method(Role.ADMIN, one_way=True, audited=Audited("removed settings of tenant", "name")),
    },
)
