"""Health of a worker: its loop turns, it is connected, and a child is ready to run something."""

from __future__ import annotations

from typing import Any

from .supervisor import Supervisor


class WorkerVitals:
    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def prod(self) -> None:
        """There is no second loop to wake: the heartbeat that calls this is the sign of life."""

    def sick(self) -> list[str]:
        """Nothing that a restart would repair: a lost master or a module that cannot be imported is repaired elsewhere."""
        return []

    def unready(self) -> list[str]:
        supervisor = self._supervisor
        reasons = []
        if supervisor.draining:
            reasons.append("it is draining: it finishes what runs and takes nothing more")
        if not supervisor.connected:
            reasons.append("it is not connected to a master")
        for pool in supervisor.pools:
            if not pool.agent.children.ready_count:
                of = f" of {pool.spec}" if len(supervisor.pools) > 1 else ""
                reasons.append(f"no child process{of} is ready")
        return reasons

    def facts(self) -> dict[str, Any]:
        agents = [pool.agent for pool in self._supervisor.pools]
        return {
            "children": len(self._supervisor.pids),
            "running": sum(len(agent.starts.running()) for agent in agents),
            "outbox": sum(len(agent.side.outbox) for agent in agents),
            **self._supervisor.shards,
        }
