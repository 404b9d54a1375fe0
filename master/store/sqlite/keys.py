"""The embedded store's verbs for keys: see ``interface.keys.KeyStore``."""

from __future__ import annotations

from ..interface.keys import KeyRow
from .executor import StatementExecutor


class SqliteKeys(StatementExecutor):
    def key_rows(self) -> list[KeyRow]:
        return [KeyRow(*row) for row in self._all("keys")]

    def put_key(self, row: KeyRow) -> None:
        self._all("put_key", row)
