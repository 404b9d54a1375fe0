"""The main port's server: it listens, and puts together what its connections share.

::

    socket ─► Connection ─► PeerSession ─► EnginePort ─► Engine ◄─ TransactionRunner: run ─► commit (thread) ─► answers leave
                 └── ConnectionContext: limits, keys, turns                  ▲
    timers, jobs ────────────────────────────────────────────────────────────┘

Everything but the commit and a user's own exposed objects happens on the loop.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

from ..api.registry import Registry
from ..blobs.blobs import Blobs
from ..blobs.files import BlobFiles
from ..blobs.threads import Threads
from ..engine.clock import Now, read_clock
from ..engine.committer import HERE_SECONDS_MAX
from ..engine.engine import Engine
from ..keys.keyring import Keyring
from ..keys.revoked_leaves import RevokedLeaves
from .connection import Connection
from .context import ConnectionContext, ServerIdentity
from .engine_port import EnginePort
from .transactions import TransactionRunner
from .turns import TrafficTurns

LISTEN_BACKLOG: Final = 1_024  # connections the kernel keeps while the loop is busy


class MasterServer:
    """One listening master. ``report`` is the log: ``report(action, level=…, **fields)``."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        tls: ssl.SSLContext,
        certificate: bytes,
        *,
        cluster_id: bytes,
        heartbeat_seconds: float,
        frame_bytes_max: int,
        report: Callable[..., None],
        loop: asyncio.AbstractEventLoop | None = None,
        clock: Callable[[], Now] = read_clock,
        commit_here_seconds_max: float = HERE_SECONDS_MAX,
        blob_files: BlobFiles | None = None,
        beside: MasterServer | None = None,
    ) -> None:
        """``beside``: the server whose port leads to this shard as well; see ``hosted.py``."""
        self.engine, self.report, self._clock = engine, report, clock
        self.loop = loop or asyncio.get_running_loop()  # a simulator hands in its own, and its clock
        turns = TrafficTurns(self.loop) if beside is None else beside.context.turns
        self.transactions = TransactionRunner(
            engine, self.loop, clock, report, commit_here_seconds_max, after_each=turns.schedule
        )
        self.port = EnginePort(engine, registry, self.transactions, self.loop, clock, report)
        shards, keys, leaves = engine.core.shard.of, engine.part(Keyring), engine.part(RevokedLeaves)
        identity = ServerIdentity(tls, certificate, cluster_id, heartbeat_seconds, frame_bytes_max, shards)
        self.context: ConnectionContext = (
            ConnectionContext(identity, self.loop, report, self.port, keys, leaves, turns)
            if beside is None
            else beside.context.beside(self.port, keys, leaves)
        )
        self._blob_threads = Threads(self.loop, self.transactions.later)
        if blob_files is not None:
            engine.part(Blobs).serve(blob_files, self._blob_threads)
        self._listener: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> list[tuple[str, int]]:
        """Open the port; the addresses that were bound."""
        self._listener = await self.loop.create_server(
            lambda: Connection(self.context), host or None, port, backlog=LISTEN_BACKLOG, start_serving=True
        )
        self.wake()
        return [socket.getsockname()[:2] for socket in self._listener.sockets]

    async def drain(self) -> bool:
        """Stop accepting, finish the transaction under way, say goodbye. False: that transaction has not ended within
        DRAIN_SECONDS_MAX, because its disk does not answer. Callers repeat to the next master what was not answered."""
        self.stop_listening()  # first: a program that connected now would be sent away at once
        await self.transactions.drain()
        self.say_goodbye()
        return not self.transactions.is_committing

    def stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()

    def say_goodbye(self) -> None:
        for connection in list(self.context.connections):
            connection.disconnect("the master is shutting down")

    def abandon(self, reason: str) -> None:
        """Another master has taken over: nothing more is answered here, and who is connected goes there."""
        self.stop_listening()
        for connection in list(self.context.connections):
            connection.cut_off(reason)

    def close(self) -> None:
        """Give back threads and descriptors. The store is its owner's to close."""
        self.transactions.close()
        self._blob_threads.close()
        self.port.close()

    def wake(self) -> None:
        """Run a transaction soon."""
        self.transactions.wake()

    @property
    def seconds_since_transaction(self) -> float:
        """Since the last one ended."""
        return self.transactions.seconds_since_last

    @property
    def rejections(self) -> dict[str, int]:
        """Unauthenticated connections that were rejected, by reason."""
        return {"refused": self.context.rejections, "crowded": self.context.admission.rejected}

    @property
    def trouble_seconds(self) -> float:
        """For how long the store has failed; 0: it does not."""
        return self.engine.trouble.seconds(self._clock())
