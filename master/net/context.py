"""What connections share: those of one port its settings and limits, those of one shard the engine behind it besides.

Behind one port there may be several shards, which come and go (``hosted.py``). A connection begins in the context of its port, and is in that
of its shard from the moment that it is admitted.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ...common.auth.keys import Verifier
from ...common.auth.revoked import Revocation
from ...common.errors import Rejected, TqError
from ..engine.accounts import Accounts
from ..keys.keyring import Keyring
from ..keys.revoked_leaves import RevokedLeaves
from .admission import AdmissionLimiter
from .arrivals import Arrivals
from .descriptors import Descriptors
from .engine_port import EnginePort
from .rejections import RejectionLog
from .turns import TrafficTurns
from .unread import UnreadAnswers


class OpenConnection(Protocol):
    """A connection, as its server ends it."""

    def disconnect(self, reason: str) -> None:
        """End it with a goodbye that says why."""

    def cut_off(self, reason: str) -> None:
        """End it at once."""


class ServerIdentity(NamedTuple):
    """What a server shows its peers."""

    tls: ssl.SSLContext
    certificate: bytes
    cluster_id: bytes
    heartbeat_seconds: float
    frame_bytes_max: int
    shards: int = 1  # of the cluster


class PortContext:
    """Of a port. ``report``: the log."""

    # The context of the shard that a HELLO names; it raises NotOwner for one that is not here. Set by who hosts the shards.
    elsewhere: Callable[[int], ConnectionContext]

    def __init__(
        self,
        identity: ServerIdentity,
        loop: asyncio.AbstractEventLoop,
        report: Callable[..., None],
    ) -> None:
        self.identity, self.loop, self.report, self.turns = identity, loop, report, TrafficTurns(loop)
        self.connections: set[OpenConnection] = set()
        self.arrivals = Arrivals()
        self.admission: AdmissionLimiter[OpenConnection] = AdmissionLimiter()
        self.descriptors = Descriptors(self.connections, report)
        self.accounts = Accounts()
        self.unread = UnreadAnswers(self.accounts.total)
        # Two logs, so that a flood of peers that do not speak the protocol does not hide that a key is wrong.
        self._wrong_keys, self._wrong_protocol = (
            RejectionLog(report, "connection.refused") for _ in range(2)
        )

    def in_shard(self, shard: int) -> ConnectionContext:
        return self.elsewhere(shard)

    def revoked_in(self, shard: int) -> Sequence[Revocation]:
        """The leaves that a caller is to refuse."""
        return self.in_shard(shard).leaves.shown

    def key_of(self, key_id: str, shard: int) -> Verifier | None:
        """The key of an id, as the shard that is asked knows it. Raises NotOwner."""
        return self.in_shard(shard).keys.find(key_id)

    def log_rejection(self, address: str, error: TqError) -> None:
        """What was wrong with an unauthenticated connection: a few lines in the log, however many there are."""
        rejections = self._wrong_keys if isinstance(error, Rejected) else self._wrong_protocol
        rejections.record(address, str(error), self.loop.time())

    @property
    def rejections(self) -> int:
        """How many there were, logged or not."""
        return self._wrong_keys.total + self._wrong_protocol.total

    @property
    def rejected(self) -> dict[str, int]:
        """Unauthenticated connections that were rejected, by reason."""
        return {"refused": self.rejections, "crowded": self.admission.rejected}


class ConnectionContext(PortContext):
    """Of a shard behind a port: the connections, their limits and what each key holds are those of the port."""

    def __init__(self, port: PortContext, engine: EnginePort, keys: Keyring, leaves: RevokedLeaves) -> None:
        vars(self).update(vars(port))
        self.engine, self.keys, self.leaves = engine, keys, leaves

    def in_shard(self, shard: int) -> ConnectionContext:
        """Of the only shard: it looks at nothing when a connection comes."""
        return self
