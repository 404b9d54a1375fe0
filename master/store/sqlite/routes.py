"""The embedded store's verbs for the queues and callables of tasks, and where tasks come from: see ``interface.routes.RouteStore``."""

from __future__ import annotations

from .executor import StatementExecutor


class SqliteRoutes(StatementExecutor):
    def add_route(self, queue: str, task: str) -> int:
        return int(self._all("add_route", (queue, task))[0][0])

    def put_queue(self, name: str, paused: bool, reason: str, since: int | None) -> None:
        self.settle()
        self._all("put_queue", (name, int(paused), reason, since))

    def add_origin(self, queue: str, results: str | None) -> int:
        return int(self._all("add_origin", (queue, results))[0][0])

    def orphan_origins(self, queue: str) -> None:
        self._all("orphan_origins", (queue,))
