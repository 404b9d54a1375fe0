"""The store's verbs for strikes: which tasks are held by an operator, and until when. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class StrikeRow(NamedTuple):
    number: int  # never used again
    condition: str
    reason: str
    key: str  # the id of the key that made it
    since: int  # steady, as the next one
    until: int | None  # None: until it is removed


class StrikeStore(Protocol):
    def strike_rows(self) -> list[StrikeRow]:
        """In the order of their numbers."""

    def add_strike(self, condition: str, reason: str, key: str, since: int, until: int | None) -> int:
        """Its number. There is none with this condition."""

    def change_strike(self, row: StrikeRow) -> None:
        """Replaces that of this number."""

    def drop_strike(self, number: int) -> None: ...
