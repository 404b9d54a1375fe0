"""The store's verbs for keys. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class KeyRow(NamedTuple):
    id: str
    role: str
    queues: str
    kdf: str
    stored_key: bytes
    server_key: bytes
    state: str
    note: str
    created: int
    last_used: int | None
    tenant: str  # of all tasks that it submits; empty: they say it themselves
    max_queued: int | None  # tasks that have not ended; None: any number
    max_queued_bytes: int | None  # of their arguments


class KeyStore(Protocol):
    def key_rows(self) -> list[KeyRow]: ...
    def put_key(self, row: KeyRow) -> None: ...
