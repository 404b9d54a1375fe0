"""The master itself, ``get_master``, and its disk, ``get_disk``."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..domain.model import Role
from .method import Audited, Contract, Method

MASTER: Final = Contract(
    "get_master",
    {
        "info": Method(Role.VIEWER, repeatable=True),
        "snapshot": Method(Role.VIEWER, repeatable=True),
        "series": Method(Role.VIEWER, repeatable=True),
        "causes": Method(Role.VIEWER, repeatable=True),
        "masters": Method(Role.VIEWER, repeatable=True),
        "revoke": Method(
            Role.ADMIN, repeatable=True, one_way=True, audited=Audited("revoked master", "name")
        ),
    },
)
DISK: Final = Contract(
    "get_disk", {"measure": Method(Role.VIEWER)}
)  # it runs in a thread, as users' objects do


class MasterRow(NamedTuple):
    """What ``masters`` answers of one master of the cluster. All times are the database's; without one there is one row. One that is
    revoked has a row for as long as its certificate would be valid, without an address if it is gone."""

    address: str  # where the others send clients
    host: str  # the name in its certificate, if it has one of its own
    serves: bool
    epoch: (
        int | None
    )  # how often the state has had a new owner; None: this one does not serve, or its state is in a file
    left: float | None  # seconds until another may take over if it says nothing more
    since: float  # Unix seconds: when this process was first seen
    silent: float  # seconds since it said that it is here
    version: str
    until: (
        float | None
    )  # Unix seconds, the end of its certificate; None: it shows the cluster's own, which has no end
    shards: list[int] | None = None  # that it hosts; None: the only one
    revoked: float | None = None  # Unix seconds: its certificate was, if it was made before

    def to_wire(self) -> list[Any]:
        """Without what it does not have at the end."""
        if self.revoked is not None:
            return list(self)
        return list(self[:-1] if self.shards is not None else self[:-2])


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
