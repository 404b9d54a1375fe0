"""Named values, ``get_datum``, and what operators see of all, ``get_data``."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Audited, Contract, Method

DATUM: Final = Contract(
    "get_datum",
    {
        "make": Method(Role.CLIENT, repeatable=True),
        "call": Method(Role.CLIENT, repeatable=True),
    },
)
DATA: Final = Contract(
    "get_data",
    {
        "list": Method(Role.VIEWER, repeatable=True),
        "show": Method(Role.VIEWER, repeatable=True),
        "delete": Method(Role.ADMIN, audited=Audited("deleted named value", "name")),
    },
)
