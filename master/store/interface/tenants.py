"""The store's verbs for tenants: what an operator has set for them. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class TenantRow(NamedTuple):
    name: str
    weight: int
    max_running: int | None
    since: int  # when it was set, steady
    shards_of: str | None = None  # queues, a line each
    change: int = 0  # the number of the last one that is known here, of several shards


class TenantStore(Protocol):
    def tenant_rows(self) -> list[TenantRow]: ...
    def put_tenant(self, row: TenantRow) -> None:
        """Replaces the row of this name."""

    def drop_tenant(self, name: str) -> None: ...
