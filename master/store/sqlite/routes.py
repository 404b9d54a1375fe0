"""The embedded store's verbs for the queues and callables of tasks, and where tasks come from: see ``interface.routes.RouteStore``."""

from __future__ import annotations

from .counts import SqliteCounts
from .executor import StatementExecutor


class SqliteRoutes(StatementExecutor):
    counts: SqliteCounts
    # SQLite would give the number of a dropped one again, which may still stand in a line in memory
    _last_route = 0

    def add_route(self, queue: str, task: str, lane: bytes = b"") -> int:
        self._last_route = int(self._all("add_route", (self._last_route, queue, task, lane))[0][0])
        return self._last_route

    def drop_lane(self, route: int) -> None:
        self.counts.write()  # what is said of it later would be added to nothing
        self._all("drop_counts", (route,))
        self._exactly("drop_lane", [(route,)])

    def put_queue(
        self, name: str, paused: bool, reason: str, since: int | None, until: int | None = None, key: str = ""
    ) -> None:
        self.settle()
        self._all("put_queue", (name, int(paused), reason, since, until, key))

    def bound_queue(self, name: str, maxsize: int) -> None:
        self._all("bound_queue", (name, maxsize))

    def order_queue(self, name: str, lifo: bool, aging: int) -> None:
        self.settle()
        self._all("order_queue", (name, int(lifo), aging))

    def add_origin(self, queue: str, results: str | None) -> int:
        return int(self._all("add_origin", (queue, results))[0][0])

    def orphan_origins(self, queue: str) -> None:
        self._all("orphan_origins", (queue,))
