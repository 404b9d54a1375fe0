"""The master itself, ``get_master``, and its disk, ``get_disk``."""

from __future__ import annotations

from typing import Final, NamedTuple

from ..domain.model import Role
from .method import Contract, Method

MASTER: Final = Contract(
    "get_master",
    {
        "info": Method(Role.VIEWER, repeatable=True),
        "snapshot": Method(Role.VIEWER, repeatable=True),
        "series": Method(Role.VIEWER, repeatable=True),
        "causes": Method(Role.VIEWER, repeatable=True),
    },
)
DISK: Final = Contract(
    "get_disk", {"measure": Method(Role.VIEWER)}
)  # it runs in a thread, as users' objects do


class CauseRow(NamedTuple):
    """What ``causes`` answers of one: see ``common/domain/causes.py``. ``first``, ``last``: Unix seconds; ``hours``: failures in each of the
    last 48 hours, the oldest first."""

    queue: str
    name: str
    kind: str
    where: str
    line: int
    message: str
    newest: bytes
    failed: int
    retried: int
    first: float
    last: float
    hours: list[int]
    hosts: dict[str, int]
    versions: dict[str, int]
