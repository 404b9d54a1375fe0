"""The embedded store's verbs for locks, events and barriers: see ``interface.locks.SyncStore``."""

from __future__ import annotations

from ..interface.locks import ClaimRow, SyncRow
from .part import SqlitePart


class SqliteSyncs(SqlitePart):
    def load(self) -> tuple[list[SyncRow], list[ClaimRow]]:
        return (
            [SyncRow(*row) for row in self._all("syncs")],
            [ClaimRow(*row) for row in self._all("claims")],
        )

    def add_sync(self, family: str, name: str, kind: str, size: int, owner: bytes | None, value: int) -> int:
        return int(self._all("add_sync", (family, name, kind, size, owner, value))[0][0])

    def set_sync(self, sync: int, value: int, counter: int) -> None:
        self._exactly("set_sync", [(value, counter, sync)])

    def drop_sync(self, sync: int) -> None:
        self._many("drop_claims", [(sync,)])
        self._exactly("drop_sync", [(sync,)])

    def add_claim(self, claim: ClaimRow) -> None:
        self._exactly("add_claim", [claim])

    def end_claim(self, sync: int, token: bytes, number: int) -> None:
        self._exactly("end_claim", [(number, sync, token)])

    def delete_claim(self, sync: int, token: bytes) -> None:
        self._exactly("delete_claim", [(sync, token)])
