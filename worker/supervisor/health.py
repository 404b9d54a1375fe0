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
        agent = self._supervisor.agent
        reasons = []
        if agent.draining:
            reasons.append("it is draining: it finishes what runs and takes nothing more")
        if not agent.connected:
            reasons.append("it is not connected to a master")
        if not agent.children.ready_count:
            reasons.append("no child process is ready")
        return reasons

    def facts(self) -> dict[str, Any]:
        agent = self._supervisor.agent
        return {
            "children": len(self._supervisor.runners.pids),
            "running": len(agent.starts.running()),
            "outbox": len(agent.outbox),
        }
