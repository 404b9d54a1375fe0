"""The store's verbs for the audit log: who changed what. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class AuditedRow(NamedTuple):
    """Calls of one program that did the same."""

    at: int  # of the first call, steady, as the next one
    last: int  # of the last one
    key: str  # the id of the key
    address: str
    node: bytes
    method: str
    target: str
    calls: int
    reached: int | None  # to how many it was done


class AuditStore(Protocol):
    def add(self, row: AuditedRow) -> int:
        """Its number, above that of every row before."""

    def change(self, rows: Sequence[tuple[int, AuditedRow]]) -> None:
        """Replaces last, target, calls and reached of the rows with these numbers, if they are still there."""

    def rows(
        self, before: int, since: int, most: int, key: str | None = None
    ) -> list[tuple[int, AuditedRow]]:
        """Rows with a number below ``before`` of what began at or after ``since``, the newest first."""

    def counts(self) -> dict[str, int]:
        """How many rows each key has."""

    def oldest(self) -> int | None:
        """When the oldest one began."""

    def forget(self, until: int, most: int) -> list[str]:
        """Delete rows of what began before; the keys of those, one for each row."""

    def forget_oldest(self, most: int, key: str | None = None) -> list[str]:
        """Delete the oldest, of one key or of all."""
