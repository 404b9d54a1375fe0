"""How many connections there is room for among the files that this process may open, and how many of them one key may have."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sized
from typing import Final

from ...common.errors import QuotaExceeded
from ..engine.accounts import Account, Resource

# Not for connections: the store's files when it is reopened, and those of users' objects
RESERVED: Final = 16
KEY_SHARE: Final = 0.75  # of all connections, for one key: so others always get in


class Descriptors:
    """``connections``: those that are open, for the log."""

    def __init__(self, connections: Sized, report: Callable[..., None]) -> None:
        self._connections, self._report = connections, report
        self.max = descriptors_max()
        self._full = False  # and the log says so

    def has_room(self, descriptor: int) -> bool:
        """Whether a new connection may stay.

        The system gives the lowest free number: a high one means that few are left. A connection that is accepted and closed
        is out of the way; one that cannot be accepted would keep the loop busy.
        """
        full = descriptor >= self.max
        if full and not self._full:
            self._report("server.full", level="error", connections=len(self._connections))
        self._full = full
        return not full

    def admit(self, account: Account) -> None:
        """One more session of this key. Raises QuotaExceeded."""
        share = int(self.max * KEY_SHARE)
        if not account.is_shared and account.held[Resource.SESSIONS] >= share:
            raise QuotaExceeded(
                f"this key has {account.held[Resource.SESSIONS]:,} connections; at most {share:,}, so that others find room in "
                "the files that the master may open: close some, or raise its limit of open files (LimitNOFILE, ulimit -n)"
            )
        account.take(Resource.SESSIONS)


def descriptors_max() -> int:
    """Connections with a descriptor from this number on are closed at once."""
    try:
        import resource
    except ImportError:  # Windows, where there is no such limit
        return sys.maxsize
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft - RESERVED
