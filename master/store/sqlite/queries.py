"""The embedded store's verbs for reading tasks: see ``interface.queries.QueryStore``."""

from __future__ import annotations

from collections.abc import Iterable

from ..interface.queries import (
    ATTEMPT_MAX,
    AttemptRow,
    Facts,
    Found,
    FullTask,
    StoredOutcome,
    TaskFilter,
    WindowRow,
)
from .executor import StatementExecutor
from .listing import conditions


class SqliteQueries(StatementExecutor):
    def find(self, ids: Iterable[bytes]) -> list[Found]:
        self.settle()
        return [Found(*row) for id in ids for row in self._all("find", (id,))]

    def payload(self, seq: int) -> bytes:
        return bytes(self._all("payload", (seq,))[0][0])

    def outcomes(self, ids: Iterable[bytes]) -> list[StoredOutcome]:
        self.settle()
        return [StoredOutcome(*row) for id in ids for row in self._all("outcome", (id,))]

    def facts(self, seq: int) -> Facts:
        return Facts(*self._all("facts", (seq,))[0])

    def full(self, id: bytes) -> FullTask | None:
        self.settle()
        rows = self._all("full", (id,))
        return FullTask(*rows[0]) if rows else None

    def attempts(self, seq: int, limit: int, before: int = ATTEMPT_MAX) -> list[AttemptRow]:
        return [AttemptRow(*row) for row in reversed(self._all("attempts", (seq, before, limit)))]

    def attempts_before(self, seq: int, attempt: int) -> int:
        return int(self._all("attempts_before", (seq, attempt))[0][0])

    def created(self, seqs: Iterable[int]) -> list[int]:
        return [self._all("created", (seq,))[0][0] for seq in seqs]

    def listing(self, what: TaskFilter, limit: int) -> list[FullTask]:
        self.settle()
        where, values = conditions(what)
        rows = self._run(self._sql["listing"].replace("/*conditions*/", where), (*values, limit))
        return [FullTask(*row) for row in rows]

    # what operators ask; each visits a bounded number of rows

    def count_ahead(self, route: int, priority: int, seq: int, limit: int) -> int:
        self.settle()
        given = {"route": route, "priority": priority, "seq": seq, "limit": limit}
        return int(self._all("count_ahead", given)[0][0])

    def window(self, before: int, limit: int) -> list[WindowRow]:
        self.settle()
        return [WindowRow(*row) for row in self._all("window", (before, limit))]

    def brief(self, seq: int) -> FullTask | None:
        rows = self._all("brief", (seq,))
        return FullTask(*rows[0]) if rows else None

    def oldest_ready(self, route: int) -> int | None:
        self.settle()
        rows = self._all("oldest_ready", {"route": route})
        return rows[0][0] if rows else None
