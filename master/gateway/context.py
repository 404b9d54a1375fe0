"""What all connections of the gateway share: its key, its limits, the references to its objects, and the shards behind it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, Protocol

from ...common.auth.keys import KDF_NONE, Verifier
from ...common.domain.model import NODE_ID_BYTES, Role
from ...common.domain.shards import shard_of_name
from ...common.errors import InvalidArgument, NotOwner
from ...common.values.brief import brief
from ...common.wire.address import parse_address
from ..engine.session import Session, Wire
from ..net.admission import UNAUTHENTICATED_MAX, AdmissionLimiter
from ..net.hosted import HostedShards
from ..net.rejections import RejectionLog
from ..net.server import MasterServer
from .requests import References

KEY_ID: Final = "gateway"  # by which `tq keys` shows and revokes it
NOTE: Final = "--gateway-authkey-file"
CLIENTS_MAX: Final = 2_000  # connections that have shown the key
UNREAD_BYTES_MAX: Final = 64 * 1024 * 1024  # of answers that wait for clients to read them, of all together
TOGETHER: Final = (
    "queues with one tag in their names, as {shop}in and {shop}out, are always behind one address"
)


class OpenStockConnection(Protocol):
    """A connection, as the others' limits and references concern it."""

    def end(self, complaint: str | None = None) -> None:
        """Close it; with a complaint, at once, and the log says it."""

    def unsent_bytes(self) -> int: ...
    def reference_dropped(self, ident: str) -> None:
        """The last proxy of an object is gone in good order: what was taken through it has arrived."""


class GatewayContext:
    """``ports``: of the gateways of all processes of this master, by the processes' numbers; empty: it is the only one. ``port``: the
    master's main one, for what all its shards have in common; which of them are here may change."""

    def __init__(self, hosted: HostedShards, key: bytes, ports: Sequence[int] = ()) -> None:
        self._hosted, self._ports = hosted, ports
        self.port, self.key, self.random_bytes = hosted.port, key, os.urandom
        self.own_port = 0  # of this gateway, once it listens
        self._was_revoked = False
        # Stock clients connect several times for one queue and do not try again: each has to get in the first time,
        # and a place goes to the newest, for an honest handshake is over before so many more have come.
        share = self.port.descriptors.max // 4  # half of what the process may open is left to others
        places = min(UNAUTHENTICATED_MAX, share)
        self.admission: AdmissionLimiter[OpenStockConnection] = AdmissionLimiter(
            places=places, per_address=places, undisturbed_seconds=0.0
        )
        self._clients_max = min(CLIENTS_MAX, share)
        self._rejections = RejectionLog(self.port.report, "gateway.refused")
        verifier = Verifier(
            key_id=KEY_ID, role=Role.CLIENT, kdf=KDF_NONE, stored_key=b"", server_key=b"", note=NOTE
        )
        hosted.accept(verifier)
        self.references = References(int.from_bytes(os.urandom(6), "big"))
        self.connections: set[OpenStockConnection] = set()
        # Those that do not read as fast as they are answered, in the order in which they stopped.
        self.unread: dict[OpenStockConnection, None] = {}

    def has_room(self, descriptor: int) -> bool:
        clients = len(self.connections) - len(self.admission)
        return clients < self._clients_max and self.port.descriptors.has_room(descriptor)

    @property
    def is_revoked(self) -> bool:
        """Whether the key has been revoked; a revocation that was cut short has reached some of the shards."""
        self._was_revoked |= any(_key_of(server).is_revoked for server in self._hosted.servers.values())
        return self._was_revoked

    def any_server(self) -> MasterServer | None:
        """None: no shard is here at the moment."""
        return next(iter(self._hosted.servers.values()), None)

    def server_of(self, queue: str, reached_at: str) -> MasterServer:
        """That of the shard of a queue. ``reached_at``: the host by which the client has come. Raises InvalidArgument, with where the
        queue is, when it is not here."""
        shard = shard_of_name(queue, self.port.identity.shards)
        try:
            return self._hosted.server_of(shard)
        except NotOwner as error:
            shown = brief(queue, 80)
            if not self._ports:
                raise InvalidArgument(f"queue {shown} {self._elsewhere(shard, error.owner)}") from None
            port = self._ports[shard % len(self._ports)]
            raise InvalidArgument(
                f"queue {shown} is in another process of this tq-master: make a manager with address=({reached_at!r}, {port}) "
                f"for it; {TOGETHER}"
            ) from None

    def _elsewhere(self, shard: int, owner: str | None) -> str:
        """Of several masters over a database."""
        if owner is None:
            return (
                f"is in shard {shard} of this cluster, which no master has at this moment, as far as this one knows; ask again in some "
                "seconds, here or at the gateway of another master"
            )
        host = parse_address(owner).host
        return (
            f"is in shard {shard} of this cluster, which another master has now, {owner}: make a manager with address=({host!r}, "
            f"{self.own_port}) for it, the gateway of that one if it is started with the same options; {TOGETHER}"
        )

    def hosts(self, server: MasterServer) -> bool:
        """False: its shard has gone to another master."""
        return server in self._hosted.servers.values()

    def moved(self, queue: str, reached_at: str) -> str:
        """To who has called a queue whose shard has gone before the answer."""
        try:
            self.server_of(queue, reached_at)
            where = "it is here again: look what there is, and ask again"
        except InvalidArgument as error:
            where = str(error)
        return f"{NotOwner.__name__}: the shard of this queue went to another master before the call was answered; {where}"

    def session(self, server: MasterServer, wire: Wire, address: str) -> Session:
        """Of one more connection. All share one account: their key is one."""
        node, account = self.random_bytes(NODE_ID_BYTES), server.context.accounts.of(KEY_ID)
        return Session(
            wire,
            verifier=_key_of(server),
            role=Role.CLIENT,
            node=node,
            address=address,
            account=account,
            reconnects=False,
        )

    def log_rejection(self, address: str, error: str) -> None:
        self._rejections.record(address, error, self.port.loop.time())

    def clogged(self, connection: OpenStockConnection) -> None:
        """More answers wait for this connection to read them. When all together are too many, those are ended that have not
        read for longest; what they asked for is there for the next connection."""
        self.unread[connection] = None
        waiting = {one: one.unsent_bytes() for one in self.unread}
        too_much = sum(waiting.values()) - UNREAD_BYTES_MAX
        for one, size in waiting.items():
            if too_much > 0 and one is not connection:
                too_much -= size
                one.end("it does not read its answers, and too many do not")

    def reference_dropped(self, ident: str) -> None:
        """The last proxy of an object is gone in good order."""
        for connection in self.connections:
            connection.reference_dropped(ident)


def _key_of(server: MasterServer) -> Verifier:
    """The gateway's key as a shard knows it now."""
    return server.context.keys.unstored(KEY_ID)
