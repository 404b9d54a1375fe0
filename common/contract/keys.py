"""The keys of a cluster."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Contract, Method

KEYS: Final = Contract(
    "get_keys",
    {
        "add": Method(Role.ADMIN),  # done twice there would be two keys
        "set": Method(Role.ADMIN, repeatable=True, one_way=True),
        "revoke": Method(Role.ADMIN, repeatable=True, one_way=True),
        "list": Method(Role.ADMIN, repeatable=True),
    },
)
