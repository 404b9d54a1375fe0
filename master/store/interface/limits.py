"""The store's verbs for limits: what is declared under a name, and what an operator has laid over it. Part of
``interface.Store``; the same rules."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class LimitRow(NamedTuple):
    name: str
    key: str  # the id of the key that declared it
    declared: bytes  # what it says, packed
    edits: bytes | None  # what an operator has changed of it, packed
    since: int  # when it was declared or changed, steady


class LimitStore(Protocol):
    def rows(self) -> list[LimitRow]: ...
    def put(self, row: LimitRow) -> None:
        """Replaces the row of this name."""

    def drop(self, name: str) -> None: ...
