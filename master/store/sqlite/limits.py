"""The embedded store's verbs for limits: see ``interface.limits.LimitStore``."""

from __future__ import annotations

from ..interface.limits import LimitRow
from .part import SqlitePart


class SqliteLimits(SqlitePart):
    def rows(self) -> list[LimitRow]:
        return [LimitRow(*row) for row in self._all("limits")]

    def put(self, row: LimitRow) -> None:
        self._all("put_limit", row)

    def drop(self, name: str) -> None:
        self._all("drop_limit", (name,))
