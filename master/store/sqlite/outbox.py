"""The embedded store's verbs for receipts of rows of outboxes: see ``interface.outbox.OutboxStore``."""

from __future__ import annotations

from collections.abc import Sequence

from .part import SqlitePart


class SqliteOutbox(SqlitePart):
    def has(self, receipt: bytes) -> bool:
        return bool(self._all("receipt", (receipt,)))

    def keep(self, rows: Sequence[tuple[bytes, str]]) -> None:
        self._exactly("keep_receipt", rows)

    def forget(self, receipts: Sequence[bytes], until: int) -> None:
        self._many("forget_receipt", [(until, receipt) for receipt in receipts])

    def drop(self, now: int, limit: int) -> list[str]:
        return [key for (key,) in self._all("drop_receipts", (now, limit))]

    def next_until(self) -> int | None:
        [(until,)] = self._all("next_receipt_until")
        return None if until is None else int(until)

    def counts(self) -> dict[str, int]:
        return dict(self._all("receipts_by_key"))
