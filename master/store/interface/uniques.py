"""The store's verbs for tasks that are the same by a key. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class UniqueRow(NamedTuple):
    """The task that was accepted last with a key in a queue and callable."""

    route: int
    key: str
    id: bytes
    states: int  # bit n: in the state with number n it is a conflict
    until: int | None  # steady ms
    fresh: int | None = None  # ms after its end for which it is a conflict, if it succeeded


class UniqueStore(Protocol):
    def find(self, route: int, key: str) -> UniqueRow | None: ...
    def of_task(self, id: bytes) -> UniqueRow | None:
        """The row of a task that was accepted last with its key."""

    def put(self, rows: Sequence[UniqueRow]) -> None:
        """In place of those with the same route and key."""

    def behind(self, after: int, limit: int) -> list[tuple[int, UniqueRow]]:
        """The next rows, with their numbers, in order."""

    def forget(self, numbers: Sequence[int]) -> None: ...
