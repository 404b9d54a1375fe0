"""The embedded store's verbs for workers: see ``interface.workers.WorkerStore``."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..interface.workers import WorkerName
from .executor import StatementExecutor


class SqliteWorkers(StatementExecutor):
    def put_worker(self, node: bytes, host: str, pid: int, now: int, version: str = "") -> int:
        return int(self._all("put_worker", (node, host, pid, version, now))[0][0])

    def forget_workers(self, seen_before: int, known: Iterable[int]) -> None:
        self._all("forget_workers", (seen_before, json.dumps(list(known))))

    def worker_host(self, worker: int) -> str | None:
        rows = self._all("worker_host", (worker,))
        return rows[0][0] if rows else None

    def worker_names(self, limit: int) -> dict[int, WorkerName]:
        return {number: WorkerName(*name) for number, *name in self._all("worker_names", (limit,))}

    def worker_name(self, worker: int) -> WorkerName | None:
        rows = self._all("worker_name", (worker,))
        return WorkerName(*rows[0]) if rows else None

    def worker_version(self, worker: int) -> str | None:
        rows = self._all("worker_version", (worker,))
        return rows[0][0] if rows else None
