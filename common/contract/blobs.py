"""Content too large for messages, by its hash."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Contract, Method

BLOBS: Final = Contract(
    "get_blobs",
    {
        "ask": Method(Role.CLIENT, repeatable=True),
        "put": Method(Role.CLIENT, repeatable=True),
        "get": Method(Role.CLIENT, repeatable=True),
    },
)
