"""Rows for people who look at a whole master: its queues and its workers. Reads only, and a bounded part of the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from ..common.model import State
from ..common.probe import PROBE
from .engine import Engine
from .lanes import Queue

LANES_MAX: Final = 500  # of one queue, looked into for its oldest task


def queue_rows(engine: Engine, allows: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Every queue that may be seen, by name."""
    return [
        {
            "name": queue.name,
            "paused": queue.paused,
            "reason": queue.reason,
            "since": None if queue.since is None else queue.since / 1000,
            "rate": 0.0 if queue.rate is None else queue.rate.per_second(engine.now.mono),
            "oldest_ready_seconds": oldest_ready_seconds(engine, queue),
            **{str(state): queue.count(state) for state in State},
        }
        for queue in sorted(engine.lanes.queues.values(), key=lambda queue: queue.name)
        if allows(queue.name)
    ]


def oldest_ready_seconds(engine: Engine, queue: Queue) -> float | None:
    """How long ago the longest waiting of the ready tasks was submitted."""
    lanes = [lane.number for lane in queue.lanes if lane.counts[State.READY]][:LANES_MAX]
    created = [one for one in map(engine.store.oldest_ready, lanes) if one is not None]
    return max(0, engine.now.wall - min(created)) / 1000 if created else None


def worker_rows(engine: Engine) -> list[dict[str, Any]]:
    """Everybody who has announced itself."""
    leased = Counter(held.worker for held in engine.running.values())
    return [
        {
            "node": worker.node.hex(),
            "host": worker.info.host,
            "pid": worker.info.pid,
            "slots": worker.info.slots,
            "labels": worker.info.labels,
            "tasks": [name for name in worker.info.tasks if name != PROBE],
            "allow": worker.info.allow,
            "queues": worker.info.queues,
            "version": worker.info.version,
            "state": worker.state,
            "connected": worker.session is not None,
            "running": len(worker.started) if worker.session is not None else 0,
            "leased": leased[worker.number],
            "rate": 0.0 if worker.pace is None else worker.pace.recent.per_second(engine.now.mono),
            "memory_bytes": worker.memory_bytes if worker.session is not None else None,
            "since": worker.since / 1000,
            "last_seen": worker.heard_wall / 1000,
        }
        for worker in engine.roster.by_node.values()
        if worker.info is not None
    ]
