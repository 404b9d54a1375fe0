"""The store's verbs for workers. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from typing import Protocol


class WorkerStore(Protocol):
    def put_worker(self, node: bytes, host: str, pid: int, now: int) -> int: ...
    def forget_workers(self, seen_before: int) -> None: ...
    def worker_host(self, worker: int) -> str | None: ...
