"""The server of a shard: its engine with what runs its transactions, behind a port that it may share with others (``hosted.py``).

::

    socket ─► Connection ─► PeerSession ─► EnginePort ─► Engine ◄─ TransactionRunner: run ─► commit (thread) ─► answers leave
                 └── ConnectionContext: limits, keys, turns                  ▲
    timers, jobs ────────────────────────────────────────────────────────────┘

Everything but the commit and a user's own exposed objects happens on the loop.
"""

from __future__ import annotations

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
from .context import ConnectionContext, PortContext
from .engine_port import EnginePort
from .transactions import TransactionRunner

GOODBYE: Final = "the master is shutting down"


class MasterServer:
    """``port``: what all connections share that come to this shard or to others."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        port: PortContext,
        *,
        clock: Callable[[], Now] = read_clock,
        commit_here_seconds_max: float = HERE_SECONDS_MAX,
        blob_files: BlobFiles | None = None,
    ) -> None:
        self.engine, self.loop, self.report, self._clock = engine, port.loop, port.report, clock
        report = port.report
        self.transactions = TransactionRunner(
            engine, self.loop, clock, report, commit_here_seconds_max, after_each=port.turns.schedule
        )
        self.port = EnginePort(engine, registry, self.transactions, self.loop, clock, report)
        self.context = ConnectionContext(port, self.port, engine.part(Keyring), engine.part(RevokedLeaves))
        self._blob_threads = Threads(self.loop, self.transactions.later)
        if blob_files is not None:
            engine.part(Blobs).serve(blob_files, self._blob_threads)

    async def drain(self, reason: str = GOODBYE) -> bool:
        """Finish the transaction under way, and say goodbye to who is connected to this shard. False: that transaction has not ended
        within DRAIN_SECONDS_MAX, because its disk does not answer. Callers repeat to the next master what was not answered."""
        await self.transactions.drain()
        self._disconnect(reason)
        return not self.transactions.is_committing

    def abandon(self, reason: str) -> None:
        """Another master has taken over: nothing more is answered here, and who is connected goes there."""
        self.transactions.end()
        self._disconnect(reason)

    def _disconnect(self, reason: str) -> None:
        for session in list(self.engine.sessions.connections):
            session.wire.disconnect(reason)

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
    def trouble_seconds(self) -> float:
        """For how long the store has failed; 0: it does not."""
        return self.engine.trouble.seconds(self._clock())
