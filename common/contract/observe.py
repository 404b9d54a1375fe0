"""The master itself, ``get_master``, and its disk, ``get_disk``."""

from __future__ import annotations

from typing import Final

from ..domain.model import Role
from .method import Contract, Method

MASTER: Final = Contract(
    "get_master",
    {
        "info": Method(Role.VIEWER, repeatable=True),
        "snapshot": Method(Role.VIEWER, repeatable=True),
        "series": Method(Role.VIEWER, repeatable=True),
    },
)
DISK: Final = Contract(
    "get_disk", {"measure": Method(Role.VIEWER)}
)  # it runs in a thread, as users' objects do
