"""The embedded store's verbs for tenants: see ``interface.tenants.TenantStore``."""

from __future__ import annotations

from ..interface.tenants import TenantRow
from .executor import StatementExecutor


class SqliteTenants(StatementExecutor):
    def tenant_rows(self) -> list[TenantRow]:
        return [TenantRow(*row) for row in self._all("tenants")]

    def put_tenant(self, row: TenantRow) -> None:
        self._all("put_tenant", row)

    def drop_tenant(self, name: str) -> None:
        self._all("drop_tenant", (name,))
