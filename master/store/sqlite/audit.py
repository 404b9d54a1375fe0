"""The embedded store's verbs for the audit log: see ``interface.audit.AuditStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.audit import AuditedRow
from .part import SqlitePart


class SqliteAudit(SqlitePart):
    def add(self, row: AuditedRow) -> int:
        return int(self._all("add_audited", row)[0][0])

    def change(self, rows: Sequence[tuple[int, AuditedRow]]) -> None:
        self._many(
            "change_audited", [(row.last, row.target, row.calls, row.reached, number) for number, row in rows]
        )

    def rows(
        self, before: int, since: int, most: int, key: str | None = None
    ) -> list[tuple[int, AuditedRow]]:
        if key is None:
            found = self._all("audited", (before, since, most))
        else:
            found = self._all("audited_of_key", (key, before, since, most))
        return [(number, AuditedRow(*row)) for number, *row in found]

    def counts(self) -> dict[str, int]:
        return dict(self._all("audited_counts"))

    def oldest(self) -> int | None:
        found = self._all("oldest_audited")
        return found[0][0] if found else None

    def forget(self, until: int, most: int) -> list[str]:
        return [key for (key,) in self._all("forget_audited", (until, most))]

    def forget_oldest(self, most: int, key: str | None = None) -> list[str]:
        if key is None:
            return [key for (key,) in self._all("forget_oldest_audited", (most,))]
        return [key for (key,) in self._all("forget_oldest_audited_of_key", (key, most))]
