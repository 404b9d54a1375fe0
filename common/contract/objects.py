"""The objects of managers, ``get_shared``. They are a program's own and nothing of them is stored, so nothing is repeated."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Contract, Method

SHARED: Final = Contract(
    "get_shared",
    {
        "create": Method(Role.CLIENT),
        "call": Method(Role.CLIENT),
        "drop": Method(Role.CLIENT),
    },
)
