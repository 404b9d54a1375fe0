"""The health of a master: its transactions make progress, and its store accepts writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from ..engine.engine import Engine
from ..tasks.leases import Leases
from ..workers.membership import Membership

# A transaction that takes longer is stuck; the worst of a slow disk is a tenth of that
STUCK_SECONDS: Final = 60.0
SLOW_SECONDS: Final = 10.0  # not ready while a transaction takes so long
SHUTS_DOWN: Final = "it is shutting down"


class ObservedServer(Protocol):
    """The server around an engine, as health and metrics see it."""

    @property
    def engine(self) -> Engine: ...
    @property
    def seconds_since_transaction(self) -> float:
        """Since the last one ended."""

    @property
    def trouble_seconds(self) -> float:
        """For how long the store has failed; 0: it does not."""

    def wake(self) -> None:
        """Run a transaction soon."""


class MasterVitals:
    """A beat wakes the engine, so that even an idle master's last transaction is recent."""

    def __init__(self, server: ObservedServer) -> None:
        self._server = server
        self.draining = False

    def prod(self) -> None:
        if not self.draining:
            self._server.wake()

    def sick(self) -> list[str]:
        seconds = self._server.seconds_since_transaction
        if (
            seconds < STUCK_SECONDS or self._server.engine.store.away
        ):  # to end it would not bring a database back
            return []
        return [f"no transaction has ended for {seconds:.0f} s: the store or its disk does not respond"]

    def unready(self) -> list[str]:
        server, reasons = self._server, []
        if self.draining:
            reasons.append(SHUTS_DOWN)
        seconds = server.seconds_since_transaction
        if away := server.engine.store.away:
            reasons.append(f"the database does not answer, and everything waits for it: {away}")
        elif SLOW_SECONDS <= seconds < STUCK_SECONDS:
            reasons.append(f"the last transaction ended {seconds:.0f} s ago: the disk is slow or stuck")
        if recovering := server.engine.store.recovering:
            reasons.append(f"recovering: {recovering}")
        elif server.engine.trouble.since is not None:
            reasons.append(
                f"the store has failed for {server.trouble_seconds:.0f} s: {server.engine.trouble.error}"
            )
        return reasons

    def facts(self) -> dict[str, Any]:
        engine = self._server.engine
        workers = sum(worker.session is not None for worker in engine.part(Membership).by_node.values())
        facts = {
            "workers": workers,
            "sessions": len(engine.sessions.connections),
            "running": len(engine.part(Leases).running),
        }
        return facts if not engine.store.damage else {"damage": engine.store.damage, **facts}


class ShardsVitals:
    """Of those shards of a cluster that one process has now: it is as well as each of them. ``without``: why it can do nothing while it has
    none."""

    def __init__(
        self, servers: Mapping[int, ObservedServer], without: Callable[[], list[str]] = list
    ) -> None:
        self._servers, self._without = servers, without
        self.draining = False

    @property
    def _of(self) -> dict[int, MasterVitals]:
        return {shard: MasterVitals(server) for shard, server in sorted(self._servers.items())}

    def prod(self) -> None:
        if not self.draining:
            for server in self._servers.values():
                server.wake()

    def sick(self) -> list[str]:
        return [f"shard {shard}: {reason}" for shard, one in self._of.items() for reason in one.sick()]

    def unready(self) -> list[str]:
        reasons = [SHUTS_DOWN] if self.draining else [] if self._servers else self._without()
        return reasons + [
            f"shard {shard}: {reason}" for shard, one in self._of.items() for reason in one.unready()
        ]

    def facts(self) -> dict[str, Any]:
        total, damage, of = Counter[str](), list[str](), self._of
        for shard, one in of.items():
            facts = one.facts()
            if "damage" in facts:
                damage.append(f"shard {shard}: {facts.pop('damage')}")
            total.update(facts)
        return {**({"damage": "; ".join(damage)} if damage else {}), **total, "shards": len(of)}


def vitals_of(
    servers: Mapping[int, ObservedServer], shards: int, without: Callable[[], list[str]] = list
) -> MasterVitals | ShardsVitals:
    """``servers``: of what one process hosts, by the numbers of their shards. ``shards``: of the cluster."""
    return ShardsVitals(servers, without) if shards > 1 else MasterVitals(next(iter(servers.values())))
