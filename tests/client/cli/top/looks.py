"""A look at a master of two queues, two workers, one long task and two names that fail."""

from __future__ import annotations

from typing import Any

from tq.common.domain.model import State

NOW = 1_700_000_000.0
STATES = {str(state): 0 for state in State}


def queue(name: str, **fields: Any) -> dict[str, Any]:
    row = {**STATES, "name": name, "paused": False, "reason": "", "since": None, "rate": 0.0}
    return {**row, "oldest_ready_seconds": None, **fields}


def worker(host: str, node: str, **fields: Any) -> dict[str, Any]:
    row = {"host": host, "node": node, "pid": 7, "slots": 8, "running": 3, "leased": 3, "rate": 12.0}
    row |= {"memory_bytes": 312_000_000, "version": "0.1.0", "state": "here", "connected": True}
    return {**row, "last_seen": NOW - 1, "since": NOW - 60, **fields}


def failing(name: str, number: int, **fields: Any) -> dict[str, Any]:
    row = {"name": name, "queue": "mail", "id": number.to_bytes(16, "big"), "tasks": 3, "at": NOW - 5}
    return {**row, "state": int(State.FAILED.number), "error": "ValueError: no address", **fields}


def running(name: str, number: int, **fields: Any) -> dict[str, Any]:
    row = {"name": name, "queue": "mail", "id": number.to_bytes(16, "big"), "attempt": 1, "worker": "crow"}
    return {**row, "started": NOW - 90, "progress": None, **fields}


def look(**fields: Any) -> dict[str, Any]:
    snapshot = {
        "version": "0.1.0",
        "started": NOW - 7_200,
        "durability": "fsync",
        "now": NOW,
        "commit_seconds": 0.0021,
        "rate": 1_240.0,
        "queues": [
            queue("img", ready=12_345, running=8, rate=1_200.0, oldest_ready_seconds=40.0),
            queue(
                "mail", ready=5, failed=3, dead=1, rate=40.0, paused=True, since=NOW - 300, reason="moving"
            ),
        ],
        "workers": [worker("crow", "aa" * 16), worker("owl", "bb" * 16, state="draining")],
        "running": [running("app:send", 1, progress=[30, 100, "", NOW])],
        "failing": [failing("app:send", 2), failing("app:resize", 3, queue="img")],
    }
    return {**snapshot, **fields}
