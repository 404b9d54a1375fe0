"""The store's verbs for locks, events and barriers. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class PrimitiveRow(NamedTuple):
    primitive: int
    family: str
    name: str
    kind: str
    size: int
    owner: bytes | None
    value: int
    counter: int


class ClaimRow(NamedTuple):
    primitive: int
    token: bytes
    node: bytes
    held: int
    number: int


class DeletedRow(NamedTuple):
    """``counter``: the highest fencing token that it gave."""

    family: str
    name: str
    counter: int


class LockStore(Protocol):
    def load(self) -> tuple[list[PrimitiveRow], list[ClaimRow]]:
        """All of them; claims in the order they were made."""

    def add_primitive(
        self, family: str, name: str, kind: str, size: int, owner: bytes | None, value: int
    ) -> int: ...
    def set_primitive(self, primitive: int, value: int, counter: int) -> None: ...
    def drop_primitive(self, primitive: int) -> None:
        """It and its claims."""

    def deleted(self) -> list[DeletedRow]:
        """Those that are remembered, the one first that ended first."""

    def remember(self, row: DeletedRow) -> None: ...
    def forget(self, family: str, name: str) -> None: ...
    def add_claims(self, claims: Sequence[ClaimRow]) -> None: ...
    def end_claim(self, primitive: int, token: bytes, number: int) -> None:
        """Held no more, but remembered with this number."""

    def delete_claim(self, primitive: int, token: bytes) -> None: ...
