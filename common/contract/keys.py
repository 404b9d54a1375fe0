"""The keys of a cluster."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Audited, Contract, Method

KEYS: Final = Contract(
    "get_keys",
    {
        "add": Method(Role.ADMIN, audited=Audited("made key")),  # done twice there would be two keys
        "set": Method(
            Role.ADMIN, repeatable=True, one_way=True, audited=Audited("set quota of key", "key_id")
        ),
        "revoke": Method(Role.ADMIN, repeatable=True, one_way=True, audited=Audited("revoked key", "key_id")),
        "list": Method(Role.ADMIN, repeatable=True),
    },
)
