"""The shards of one process, behind one port: a server for each, and the HELLO of a connection says to which it goes.

::

    socket ─► Connection ─► HELLO [… shard] ─┬─► the server of that shard: its keys, its engine, its transactions
                                             └─► NotOwner, with the address of the master that hosts it

The servers share the connections and what is counted of them; nothing else. One whose disk hangs holds up no other. They may come and go
while the port is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from ...common.auth.keys import Verifier
from ...common.errors import NotOwner
from .connection import Connection
from .context import ConnectionContext, PortContext
from .server import GOODBYE, MasterServer

LISTEN_BACKLOG: Final = 1_024  # connections the kernel keeps while the loop is busy


def unknown(shard: int) -> str | None:
    """The address of the master that hosts a shard, where none is known."""
    return None


class Entrance:
    """An open port: each connection there is a ``Connection`` of its context, which is that of the port, or of the only shard behind it."""

    def __init__(self, context: PortContext) -> None:
        self._context = context
        self._listener: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> list[tuple[str, int]]:
        """Open the port; the addresses that were bound."""
        self._listener = await self._context.loop.create_server(
            lambda: Connection(self._context), host or None, port, backlog=LISTEN_BACKLOG, start_serving=True
        )
        return [socket.getsockname()[:2] for socket in self._listener.sockets]

    def close(self) -> None:
        """Who is connected stays so."""
        if self._listener is not None:
            self._listener.close()


class HostedShards:
    """``servers``: by the numbers of their shards. ``owner``: the address of the master that hosts another shard."""

    def __init__(
        self,
        port: PortContext,
        servers: Mapping[int, MasterServer],
        owner: Callable[[int], str | None] = unknown,
    ) -> None:
        self.port, self.servers, self.owner = port, dict(servers), owner
        self._unstored: list[Verifier] = []
        port.elsewhere = self._context
        # A master of the only shard looks at nothing when a connection comes.
        self._entrance = Entrance(port if port.identity.shards > 1 else self.first.context)

    @property
    def first(self) -> MasterServer:
        return next(iter(self.servers.values()))

    def _context(self, shard: int) -> ConnectionContext:
        return self.server_of(shard).context

    def server_of(self, shard: int) -> MasterServer:
        """Raises NotOwner, with the address of the master that hosts it, for one that is not here."""
        server = self.servers.get(shard)
        if server is not None:
            return server
        owner = self.owner(shard)
        if owner is None:
            raise NotOwner(f"shard {shard} is not here, and no master that hosts it is known at the moment")
        raise NotOwner(f"shard {shard} is not here; the master that hosts it is {owner}", owner)

    def accept(self, verifier: Verifier) -> None:
        """The key of an entrance besides the main port, in each shard that is here or comes."""
        self._unstored.append(verifier)
        for server in self.servers.values():
            server.context.keys.add_unstored(verifier)

    def add(self, shard: int, server: MasterServer) -> None:
        """It is served from now on."""
        for verifier in self._unstored:
            server.context.keys.add_unstored(verifier)
        self.servers[shard] = server
        server.wake()

    def remove(self, shard: int) -> MasterServer:
        """Who asks for it from now on is sent to another master. Who is connected to it stays so: see ``MasterServer.drain``."""
        server = self.servers.pop(shard)
        # As they are by now: a key that was revoked stays so in a shard that comes later.
        self._unstored = [server.context.keys.unstored(one.key_id) for one in self._unstored]
        return server

    async def listen(self, host: str, port: int) -> list[tuple[str, int]]:
        """Open the port; the addresses that were bound."""
        bound = await self._entrance.listen(host, port)
        for server in self.servers.values():
            server.wake()
        return bound

    async def drain(self) -> bool:
        """Stop accepting, finish the transactions under way, say goodbye. False: one has not ended, because its disk does not answer."""
        self._entrance.close()  # first: a program that connected now would be sent away at once
        # At once for all: one after the other, a disk that hangs would take the time of the others, which a supervisor gives once.
        drained = await asyncio.gather(*(server.drain() for server in self.servers.values()))
        for connection in list(self.port.connections):  # those that have not said yet to which shard they go
            connection.disconnect(GOODBYE)
        return all(drained)

    def abandon(self, reason: str) -> None:
        """Another master has taken over: nothing more is answered here, and who is connected goes there."""
        self._entrance.close()
        for connection in list(self.port.connections):
            connection.cut_off(reason)

    def close(self) -> None:
        """Give back threads and descriptors. The stores are their owner's to close."""
        for server in self.servers.values():
            server.close()
