"""The store's verbs for receipts: which rows of outboxes were accepted. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class OutboxStore(Protocol):
    def has(self, receipt: bytes) -> bool: ...
    def keep(self, rows: Sequence[tuple[bytes, str]]) -> None:
        """Receipts that there are not, with the keys that they count for."""

    def forget(self, receipts: Sequence[bytes], until: int) -> None:
        """Those of them that are there, and are not forgotten yet, are kept until then, steady."""

    def drop(self, now: int, limit: int) -> list[str]:
        """Delete so many whose time is over; the keys that they counted for."""

    def next_until(self) -> int | None:
        """When the first of those that were forgotten goes."""

    def counts(self) -> dict[str, int]:
        """How many count for each key."""
