"""The embedded store's verbs for locks, events and barriers: see ``interface.locks.LockStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.locks import ClaimRow, DeletedRow, PrimitiveRow
from .part import SqlitePart


class SqliteLocks(SqlitePart):
    def load(self) -> tuple[list[PrimitiveRow], list[ClaimRow]]:
        return (
            [PrimitiveRow(*row) for row in self._all("primitives")],
            [ClaimRow(*row) for row in self._all("claims")],
        )

    def add_primitive(
        self, family: str, name: str, kind: str, size: int, owner: bytes | None, value: int
    ) -> int:
        return int(self._all("add_primitive", (family, name, kind, size, owner, value))[0][0])

    def set_primitive(self, primitive: int, value: int, counter: int) -> None:
        self._exactly("set_primitive", [(value, counter, primitive)])

    def drop_primitive(self, primitive: int) -> None:
        self._many("drop_claims", [(primitive,)])
        self._exactly("drop_primitive", [(primitive,)])

    def deleted(self) -> list[DeletedRow]:
        return [DeletedRow(*row) for row in self._all("deleted_primitives")]

    def remember(self, row: DeletedRow) -> None:
        self._exactly("remember_primitive", [row])

    def forget(self, family: str, name: str) -> None:
        self._exactly("forget_primitive", [(family, name)])

    def add_claims(self, claims: Sequence[ClaimRow]) -> None:
        self._exactly("add_claim", claims)

    def end_claim(self, primitive: int, token: bytes, number: int) -> None:
        self._exactly("end_claim", [(number, primitive, token)])

    def delete_claim(self, primitive: int, token: bytes) -> None:
        self._exactly("delete_claim", [(primitive, token)])
