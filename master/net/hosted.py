"""The shards of one process, behind one port: a server for each, and the HELLO of a connection says to which it goes.

::

    socket ─► Connection ─► HELLO [… shard] ─┬─► the server of that shard: its keys, its engine, its transactions
                                             └─► NotOwner, with the address of the master that hosts it

The servers share the connections and what is counted of them; nothing else. One whose disk hangs holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from ...common.errors import NotOwner
from .context import ConnectionContext
from .server import MasterServer


def unknown(shard: int) -> str | None:
    """The address of the master that hosts a shard, where none is known."""
    return None


class HostedShards:
    """``servers``: by the numbers of their shards, each but the first made beside it. ``owner``: the address of the master that hosts
    another shard."""

    def __init__(
        self, servers: Mapping[int, MasterServer], owner: Callable[[int], str | None] = unknown
    ) -> None:
        self.servers, self._owner = servers, owner
        self.first = next(iter(servers.values()))
        # A master of the only shard looks at nothing when a connection comes.
        if self.first.engine.core.shard.of > 1:
            for server in servers.values():
                server.context.elsewhere = self._context

    def _context(self, shard: int) -> ConnectionContext:
        return self.server_of(shard).context

    def server_of(self, shard: int) -> MasterServer:
        """Raises NotOwner, with the address of the master that hosts it, for one that is not here."""
        server = self.servers.get(shard)
        if server is not None:
            return server
        owner = self._owner(shard)
        if owner is None:
            raise NotOwner(f"shard {shard} is not here, and no master that hosts it is known at the moment")
        raise NotOwner(f"shard {shard} is not here; the master that hosts it is {owner}", owner)

    async def listen(self, host: str, port: int) -> list[tuple[str, int]]:
        """Open the port; the addresses that were bound."""
        bound = await self.first.listen(host, port)
        for server in self.servers.values():
            server.wake()
        return bound

    async def drain(self) -> bool:
        """Stop accepting, finish the transactions under way, say goodbye. False: one has not ended, because its disk does not answer."""
        self.first.stop_listening()
        # At once for all: one after the other, a disk that hangs would take the time of the others, which a supervisor gives once.
        await asyncio.gather(*(server.transactions.drain() for server in self.servers.values()))
        self.first.say_goodbye()
        return not any(server.transactions.is_committing for server in self.servers.values())

    def abandon(self, reason: str) -> None:
        """See ``MasterServer.abandon``."""
        self.first.abandon(reason)

    def close(self) -> None:
        """Give back threads and descriptors. The stores are their owner's to close."""
        for server in self.servers.values():
            server.close()
