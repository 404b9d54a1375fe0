"""The store's verbs for tasks that are the same by a key. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class UniqueRow(NamedTuple):
    """The task that was accepted last with a key in a queue and callable."""

    route: int
    key: str
    id: bytes
    states: int  # bit n: in the state with number n it is a conflict
    until: int | None  # steady ms


class UniqueStore(Protocol):
    def find(self, route: int, key: str) -> UniqueRow | None: ...
    def put(self, row: UniqueRow) -> None:
        """In place of one with the same route and key."""

    def sweep(self, after: int, limit: int, now: int) -> int:
        """Of the next so many rows delete those that will never be a conflict again; where to go on, 0 at the end."""
