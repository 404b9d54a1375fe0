"""The embedded store's verbs for tasks that are the same by a key: see ``interface.uniques.UniqueStore``."""

from __future__ import annotations

from ..interface.uniques import UniqueRow
from .part import SqlitePart


class SqliteUniques(SqlitePart):
    def find(self, route: int, key: str) -> UniqueRow | None:
        rows = self._all("unique_of", (route, key))
        return UniqueRow(*rows[0]) if rows else None

    def put(self, row: UniqueRow) -> None:
        self._exactly("put_unique", [row])

    def sweep(self, after: int, limit: int, now: int) -> int:
        [(upto, looked)] = self._all("uniques_behind", (after, limit))
        if not looked:
            return 0
        self._many("forget_uniques", [{"after": after, "upto": upto, "now": now}])
        return int(upto) if looked == limit else 0
