"""Strikes: tasks that an operator holds back by what they are, ``get_strikes``."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Audited, Contract, Method

STRIKES: Final = Contract(
    "get_strikes",
    {
        "list": Method(Role.VIEWER, repeatable=True),
        "check": Method(Role.ADMIN, repeatable=True),
        "add": Method(
            Role.ADMIN, repeatable=True, one_way=True, audited=Audited("added strike", "condition")
        ),
        # the second time there is none of that number
        "remove": Method(Role.ADMIN, one_way=True, audited=Audited("removed strike", "strike")),
    },
)
