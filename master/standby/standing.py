"""One wait of a master that stands by: its door is open, it looks at the shard, and ends when the shard is free or it is to end.

::

    looks of the database ─► is it free? ─► no: the door names its owner ─► …
                                        └─► yes: the door is closed, and the caller takes the shard over

Whether it is free is the database's word, by the database's clock. Two masters may both see it: one of them gets it (``shard.claim``),
and the other comes back here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from ...common.errors import ConfigError, InvalidArgument, TqError
from ...common.wire.address import Address, parse_address

LOOK_AGAIN_SECONDS: Final = 0.5  # after a lost race


class Seen(Protocol):
    """See ``store/postgres/masters.ShardSeen``."""

    @property
    def owner(self) -> str: ...
    @property
    def epoch(self) -> int: ...
    @property
    def address(self) -> str | None: ...
    @property
    def is_free(self) -> bool: ...
    @property
    def is_shared(self) -> bool: ...


class Standing:
    """The state of the wait. Used on one loop; ``looked`` and ``away`` are called on it."""

    def __init__(self, report: Callable[..., Any]) -> None:
        self._report = report
        self._ended = asyncio.Event()
        self._failed: TqError | None = None
        self.is_free = False
        self.owner: Address | None = None
        self._owner_name = ""
        self._away = ""

    async def wait(self) -> bool:
        """Until the shard is free: true; or until ``end``: false. Raises what ``fail`` was given."""
        await self._ended.wait()
        if self._failed is not None:
            raise self._failed
        return self.is_free

    def end(self) -> None:
        self._ended.set()

    def fail(self, error: TqError) -> None:
        """This master must not take over, now or later."""
        if not self._ended.is_set():
            self._failed = error
            self._ended.set()

    def looked(self, seen: Seen | None) -> None:
        if self._away:
            self._away = ""
            self._report("standby.database_back")
        if seen is None or seen.is_free or seen.is_shared:  # its cluster has been made meanwhile
            self.owner = None
            self.is_free = True
            self._ended.set()
            return
        self.owner = _address(seen.address)
        if seen.owner != self._owner_name:
            self._owner_name = seen.owner
            self._report("standby.sees_owner", owner=seen.owner, epoch=seen.epoch, address=seen.address or "")

    def away(self, error: str) -> None:
        if not self._away:
            self._report("standby.database_away", level="warning", error=error)
        self._away = error

    # health: see common/runtime/health.Vitals

    def prod(self) -> None:
        """A thread looks at the shard by itself."""

    def sick(self) -> list[str]:
        return []

    def unready(self) -> list[str]:
        where = f"the master that serves is {self.owner}" if self.owner else "no master serves at the moment"
        reasons = [f"it stands by; {where}"]
        if self._away:
            reasons.append(f"the database does not answer: {self._away}")
        return reasons

    def facts(self) -> dict[str, Any]:
        return {"stands_by": True, "owner": None if self.owner is None else str(self.owner)}


def _address(text: str | None) -> Address | None:
    try:
        return None if not text else parse_address(text)
    except InvalidArgument:  # what another version of a master has written
        return None


def check_certificate(pin: bytes | None, own: bytes | None, where: str, renew: str) -> None:
    """Before a master stands by: it is of the cluster, or it would be refused when it takes over. Raises ConfigError."""
    if pin is None or own == pin:
        return
    if own is None:
        raise ConfigError(
            f"another master serves {where}, and this host has no certificate of its cluster; on this host, once: {renew}"
        )
    raise ConfigError(
        f"the certificate in --data is of another cluster than {where}; if --data is right, name the database of its cluster with --store; "
        f"else name an empty directory with --data, and get a certificate of that cluster into it: {renew}, each with its own --data"
    )
