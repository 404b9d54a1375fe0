"""What all connections of the gateway share: its key, its limits, the references to its objects, and the master behind it."""

from __future__ import annotations

import os
from typing import Final, Protocol

from ...common.auth.keys import KDF_NONE, Verifier
from ...common.domain.model import NODE_ID_BYTES, Role
from ..engine.session import Session, Wire
from ..net.admission import UNAUTHENTICATED_MAX, AdmissionLimiter
from ..net.rejections import RejectionLog
from ..net.server import MasterServer
from .requests import References

KEY_ID: Final = "gateway"  # by which `tq keys` shows and revokes it
NOTE: Final = "--gateway-authkey-file"
CLIENTS_MAX: Final = 2_000  # connections that have shown the key
UNREAD_BYTES_MAX: Final = 64 * 1024 * 1024  # of answers that wait for clients to read them, of all together


class OpenStockConnection(Protocol):
    """A connection, as the others' limits and references concern it."""

    def end(self, complaint: str | None = None) -> None:
        """Close it; with a complaint, at once, and the log says it."""

    def unsent_bytes(self) -> int: ...
    def reference_dropped(self, ident: str) -> None:
        """The last proxy of an object is gone in good order: what was taken through it has arrived."""


class GatewayContext:
    """``master``: the server whose engine it calls."""

    def __init__(self, master: MasterServer, key: bytes) -> None:
        self.master, self.key, self.random_bytes = master, key, os.urandom
        # Stock clients connect several times for one queue and do not try again: each has to get in the first time,
        # and a place goes to the newest, for an honest handshake is over before so many more have come.
        share = master.context.descriptors.max // 4  # half of what the process may open is left to others
        places = min(UNAUTHENTICATED_MAX, share)
        self.admission: AdmissionLimiter[OpenStockConnection] = AdmissionLimiter(
            places=places, per_address=places, undisturbed_seconds=0.0
        )
        self._clients_max = min(CLIENTS_MAX, share)
        self._rejections = RejectionLog(master.report, "gateway.refused")
        verifier = Verifier(
            key_id=KEY_ID, role=Role.CLIENT, kdf=KDF_NONE, stored_key=b"", server_key=b"", note=NOTE
        )
        master.context.keys.add_unstored(verifier)
        self.references = References(int.from_bytes(os.urandom(6), "big"))
        self.connections: set[OpenStockConnection] = set()
        # Those that do not read as fast as they are answered, in the order in which they stopped.
        self.unread: dict[OpenStockConnection, None] = {}

    def has_room(self, descriptor: int) -> bool:
        clients = len(self.connections) - len(self.admission)
        return clients < self._clients_max and self.master.context.descriptors.has_room(descriptor)

    @property
    def verifier(self) -> Verifier:
        """The key as it is now: it may have been revoked."""
        return self.master.context.keys.unstored(KEY_ID)

    def session(self, wire: Wire, address: str) -> Session:
        """Of one more connection. All share one account: their key is one."""
        node, account = self.random_bytes(NODE_ID_BYTES), self.master.context.accounts.of(KEY_ID)
        return Session(
            wire,
            verifier=self.verifier,
            role=Role.CLIENT,
            node=node,
            address=address,
            account=account,
            reconnects=False,
        )

    def log_rejection(self, address: str, error: str) -> None:
        self._rejections.record(address, error, self.master.loop.time())

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
