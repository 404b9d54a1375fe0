"""The embedded store's verbs for what the master has measured: see ``interface.series.SeriesStore``."""

from __future__ import annotations

from .part import SqlitePart


class SqliteSeries(SqlitePart):
    def put(self, step: int, place: int, slot: int, body: bytes) -> None:
        self._all("put_series", (step, place, slot, body))

    def rows(self, step: int, after: int, most: int) -> list[tuple[int, bytes]]:
        return [(slot, body) for slot, body in self._all("series", (step, after, most))]

    def last(self, step: int) -> tuple[int, bytes] | None:
        found = self._all("last_series", (step,))
        return (found[0][0], found[0][1]) if found else None
