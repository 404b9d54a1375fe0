"""The listening side of the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from ...common.errors import ConfigError
from ...common.wire.address import Address, is_loopback
from ..net.hosted import HostedShards
from ..net.ports import why_not_listening
from .connection import StockConnection
from .context import GatewayContext

BACKLOG: Final = 128


class Gateway:
    """One open port. ``hosted``: the shards whose engines its connections call. ``ports``: see GatewayContext."""

    def __init__(self, hosted: HostedShards, key: bytes, ports: Sequence[int] = ()) -> None:
        self._port = hosted.port
        self.context = GatewayContext(hosted, key, ports)
        self._listener: asyncio.Server | None = None

    async def listen(self, address: Address) -> Address:
        """Open the port; the address that was bound."""
        try:
            self._listener = await self._port.loop.create_server(
                lambda: StockConnection(self.context), address.host or None, address.port, backlog=BACKLOG
            )
        except OSError as error:
            raise ConfigError(f"the gateway: {why_not_listening(address, error, '--gateway')}") from error
        bound = Address(*self._listener.sockets[0].getsockname()[:2])
        self.context.own_port = bound.port
        public = not is_loopback(address.host)
        self._port.report(
            "gateway.started", level="warning" if public else "info", address=str(bound), encrypted=False
        )
        return bound

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.context.connections):
            connection.end()
