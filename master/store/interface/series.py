"""The store's verbs for what the master has measured over time. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from typing import Protocol


class SeriesStore(Protocol):
    def put(self, step: int, place: int, slot: int, body: bytes) -> None:
        """Replaces what is at this place among the points of ``step`` ms; ``slot``: how many steps since 1970, steady."""

    def rows(self, step: int, after: int, most: int) -> list[tuple[int, bytes]]:
        """Slots above ``after`` with their points, the first ones first."""

    def last(self, step: int) -> tuple[int, bytes] | None: ...
