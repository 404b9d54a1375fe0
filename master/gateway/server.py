"""The listening side of the gateway."""

from __future__ import annotations

import asyncio
from typing import Final

from ...common.errors import ConfigError
from ...common.wire.address import Address, is_loopback
from ..net.ports import why_not_listening
from ..net.server import MasterServer
from .connection import StockConnection
from .context import GatewayContext

BACKLOG: Final = 128


class Gateway:
    """One open port. ``master``: the server whose engine its connections call."""

    def __init__(self, master: MasterServer, key: bytes) -> None:
        self._master = master
        self.context = GatewayContext(master, key)
        self._listener: asyncio.Server | None = None

    async def listen(self, address: Address) -> Address:
        """Open the port; the address that was bound."""
        try:
            self._listener = await self._master.loop.create_server(
                lambda: StockConnection(self.context), address.host or None, address.port, backlog=BACKLOG
            )
        except OSError as error:
            raise ConfigError(f"the gateway: {why_not_listening(address, error, '--gateway')}") from error
        bound = Address(*self._listener.sockets[0].getsockname()[:2])
        public = not is_loopback(address.host)
        self._master.report(
            "gateway.started", level="warning" if public else "info", address=str(bound), encrypted=False
        )
        return bound

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.context.connections):
            connection.end()
