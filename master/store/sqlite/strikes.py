"""The embedded store's verbs for strikes: see ``interface.strikes.StrikeStore``."""

from __future__ import annotations

from ..interface.strikes import StrikeRow
from .executor import StatementExecutor


class SqliteStrikes(StatementExecutor):
    def strike_rows(self) -> list[StrikeRow]:
        return [StrikeRow(*row) for row in self._all("strikes")]

    def add_strike(self, condition: str, reason: str, key: str, since: int, until: int | None) -> int:
        return int(self._all("add_strike", (condition, reason, key, since, until))[0][0])

    def change_strike(self, row: StrikeRow) -> None:
        self._exactly("change_strike", [(row.reason, row.key, row.since, row.until, row.number)])

    def drop_strike(self, number: int) -> None:
        self._exactly("drop_strike", [(number,)])
