"""The listening side of the gateway: who is let in, what is counted, and how it is opened and closed."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from ...common.auth.key_files import read_key_file
from ...common.auth.keys import KDF_NONE, Verifier, check_authkey_strength
from ...common.domain.model import NODE_ID_BYTES, Role
from ...common.errors import ConfigError, TqError
from ...common.wire.address import Address, is_loopback, parse_address
from ..engine.session import Session, Wire
from ..net.admission import STRANGERS_MAX, AdmissionLimiter
from ..net.ports import why_not_listening
from ..net.rejections import RejectionLog
from ..net.server import MasterServer
from .connection import StockConnection
from .requests import References

BACKLOG: Final = 128
KEY_ID: Final = "gateway"  # by which `tq keys` shows and revokes it
NOTE: Final = "--gateway-authkey-file"
CLIENTS_MAX: Final = 2_000  # connections that have shown the key
UNREAD_BYTES_MAX: Final = 64 * 1024 * 1024  # of answers that wait for clients to read them, of all together


class GatewayArguments(NamedTuple):
    """What ``--gateway``, ``--gateway-authkey-file`` and ``--gateway-public`` say, as they stand."""

    address: str | None
    key_file: Path | None
    public: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayOptions:
    """Where stock clients come in, and their key."""

    address: Address
    key: bytes = field(repr=False)


def read_options(arguments: GatewayArguments) -> GatewayOptions | None:
    """None when there is to be none. Raises ConfigError."""
    address, key_file, public = arguments
    if address is None:
        if key_file is not None or public:
            raise ConfigError("--gateway-authkey-file and --gateway-public need --gateway HOST:PORT")
        return None
    if key_file is None:
        raise ConfigError(
            "--gateway needs --gateway-authkey-file FILE: a key of its own, for these clients only"
        )
    try:
        where = parse_address(address, listen=True, default_port=5001)
    except TqError as error:
        raise ConfigError(f"--gateway: {error}") from error
    if not is_loopback(where.host) and not public:
        raise ConfigError(
            f"--gateway {where}: clients of the standard library are not encrypted, everybody on the way reads and alters "
            "what they send; use 127.0.0.1 and a tunnel, or say --gateway-public"
        )
    key = read_key_file(key_file)
    check_authkey_strength(key, where.host)
    return GatewayOptions(address=where, key=key.encode())


class Gateway:
    """One open door. ``master``: the server whose engine it asks."""

    def __init__(self, master: MasterServer, key: bytes) -> None:
        self.master, self.key, self.random_bytes = master, key, os.urandom
        # Stock clients connect several times for one queue and do not try again: each has to get in the first time,
        # and a place goes to whoever comes last, for an honest handshake is over before so many more have come.
        share = (
            master.context.descriptors.max // 4
        )  # half of what the process may open stays for everybody else
        places = min(STRANGERS_MAX, share)
        self.admission: AdmissionLimiter[StockConnection] = AdmissionLimiter(
            places=places, per_address=places, patience=0.0
        )
        self._clients_max = min(CLIENTS_MAX, share)
        self._rejections = RejectionLog(master.report, "gateway.refused")
        verifier = Verifier(
            key_id=KEY_ID, role=Role.CLIENT, kdf=KDF_NONE, stored_key=b"", server_key=b"", note=NOTE
        )
        master.context.keys.add_unstored(verifier)
        self.references = References(int.from_bytes(os.urandom(6), "big"))
        self.connections: set[StockConnection] = set()
        self.unread: dict[
            StockConnection, None
        ] = {}  # those that do not read as fast as they are answered, in order
        self._listener: asyncio.Server | None = None

    async def listen(self, address: Address) -> Address:
        """Open the port; the address that was bound."""
        try:
            self._listener = await self.master.loop.create_server(
                lambda: StockConnection(self), address.host or None, address.port, backlog=BACKLOG
            )
        except OSError as error:
            raise ConfigError(f"the gateway: {why_not_listening(address, error, '--gateway')}") from error
        bound = Address(*self._listener.sockets[0].getsockname()[:2])
        public = not is_loopback(address.host)
        self.master.report(
            "gateway.started", level="warning" if public else "info", address=str(bound), encrypted=False
        )
        return bound

    def has_room(self, descriptor: int) -> bool:
        clients = len(self.connections) - len(self.admission)
        return clients < self._clients_max and self.master.context.descriptors.has_room(descriptor)

    @property
    def verifier(self) -> Verifier:
        """The key as it is now: it may have been revoked."""
        return self.master.context.keys.door(KEY_ID)

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

    def clogged(self, connection: StockConnection) -> None:
        """More waits for this one to be read. When it is too much of all, those go that have not read for longest; what
        they arguments for is there for the next."""
        self.unread[connection] = None
        waiting = {one: one.unsent_bytes() for one in self.unread}
        too_much = sum(waiting.values()) - UNREAD_BYTES_MAX
        for one, size in waiting.items():
            if too_much > 0 and one is not connection:
                too_much -= size
                one.end("it does not read its answers, and too many do not")

    def let_go(self, ident: str) -> None:
        """The last proxy of an ident is gone in good order: what was taken through it has arrived."""
        for connection in self.connections:
            connection.let_go(ident)

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.end()
