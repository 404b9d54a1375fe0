"""The embedded store's verbs for tasks that are the same by a key: see ``interface.uniques.UniqueStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.uniques import UniqueRow
from .part import SqlitePart


class SqliteUniques(SqlitePart):
    def find(self, route: int, key: str) -> UniqueRow | None:
        rows = self._all("unique_of", (route, key))
        return UniqueRow(*rows[0]) if rows else None

    def of_task(self, id: bytes) -> UniqueRow | None:
        rows = self._all("unique_of_task", (id,))
        return UniqueRow(*rows[0]) if rows else None

    def put(self, rows: Sequence[UniqueRow]) -> None:
        self._exactly("put_unique", rows)

    def behind(self, after: int, limit: int) -> list[tuple[int, UniqueRow]]:
        return [(number, UniqueRow(*row)) for number, *row in self._all("uniques_behind", (after, limit))]

    def forget(self, numbers: Sequence[int]) -> None:
        self._exactly("forget_unique", [(number,) for number in numbers])
