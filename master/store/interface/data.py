"""The store's verbs for named values. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class DataRow(NamedTuple):
    data: int
    name: str
    type: str
    size_bytes: int  # of the stored value and of the calls since


class DataCall(NamedTuple):
    """A call that may have changed a value."""

    data: int
    caller: bytes
    number: int
    call: bytes


class StoredDatum(NamedTuple):
    value: bytes
    callers: bytes
    calls: list[tuple[bytes, int, bytes]]  # caller, number, call; in order


class DataStore(Protocol):
    def load(self) -> list[DataRow]: ...
    def read(self, data: int) -> StoredDatum: ...
    def add(self, name: str, type: str, value: bytes, callers: bytes) -> int: ...
    def add_calls(self, calls: Sequence[DataCall]) -> None: ...
    def replace(self, data: int, value: bytes, callers: bytes) -> None:
        """The value with all calls in it, which are forgotten."""

    def drop(self, data: int) -> None: ...
