"""The embedded store's verbs for named values: see ``interface.data.DataStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.data import DataCall, DataRow, StoredDatum
from .part import SqlitePart


class SqliteData(SqlitePart):
    def load(self) -> list[DataRow]:
        return [DataRow(*row) for row in self._all("data")]

    def read(self, data: int) -> StoredDatum:
        [(value, callers)] = self._all("datum", (data,))
        return StoredDatum(value, callers, self._all("data_calls", (data,)))

    def add(self, name: str, type: str, value: bytes, callers: bytes) -> int:
        return int(self._all("add_datum", (name, type, value, callers))[0][0])

    def add_calls(self, calls: Sequence[DataCall]) -> None:
        self._many("add_data_call", calls)

    def replace(self, data: int, value: bytes, callers: bytes) -> None:
        self._exactly("set_datum", [(value, callers, data)])
        self._many("drop_data_calls", [(data,)])

    def drop(self, data: int) -> None:
        self._many("drop_data_calls", [(data,)])
        self._exactly("drop_datum", [(data,)])
