"""The health of a master: its transactions make progress, and its store accepts writes."""

from __future__ import annotations

from typing import Any, Final

from ..net.server import MasterServer
from ..tasks.leases import Leases
from ..workers.membership import Membership

STUCK_SECONDS: Final = (
    60.0  # a transaction that takes longer is stuck; the worst of a slow disk is a tenth of that
)
SLOW_SECONDS: Final = 10.0  # not ready while a transaction takes so long


class MasterVitals:
    """A beat wakes the engine, so that even an idle master's last transaction is recent."""

    def __init__(self, server: MasterServer) -> None:
        self._server = server
        self.draining = False

    def prod(self) -> None:
        if not self.draining:
            self._server.wake()

    def sick(self) -> list[str]:
        seconds = self._server.transactions.seconds_since_last
        if seconds < STUCK_SECONDS:
            return []
        return [f"no transaction has ended for {seconds:.0f} s: the store or its disk does not respond"]

    def unready(self) -> list[str]:
        server, reasons = self._server, []
        if self.draining:
            reasons.append("it is shutting down")
        seconds = server.transactions.seconds_since_last
        if SLOW_SECONDS <= seconds < STUCK_SECONDS:
            reasons.append(f"the last transaction ended {seconds:.0f} s ago: the disk is slow or stuck")
        if server.engine.trouble.since is not None:
            reasons.append(
                f"the store has failed for {server.trouble_seconds:.0f} s: {server.engine.trouble.error}"
            )
        return reasons

    def facts(self) -> dict[str, Any]:
        engine = self._server.engine
        workers = sum(worker.session is not None for worker in engine.part(Membership).by_node.values())
        facts = {
            "workers": workers,
            "sessions": len(engine.connections),
            "running": len(engine.part(Leases).running),
        }
        return facts if not engine.store.damage else {"damage": engine.store.damage, **facts}
