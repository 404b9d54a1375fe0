"""Tenants in a store."""

from __future__ import annotations

from tq.master.store.interface.store import Store
from tq.master.store.interface.tenants import TenantRow

from .tasks import NOW, within


def test_a_tenant_is_kept_as_it_was_put_last_until_it_is_dropped(store: Store) -> None:
    acme, other = TenantRow("acme", 3, 20, NOW), TenantRow("Über", 1, None, NOW)
    within(store, lambda: store.put_tenant(acme))
    within(store, lambda: store.put_tenant(other))
    changed = acme._replace(weight=5, max_running=None, since=NOW + 1)
    within(store, lambda: store.put_tenant(changed))
    assert sorted(store.tenant_rows()) == sorted([changed, other])
    within(store, lambda: store.drop_tenant("Über"))
    within(store, lambda: store.drop_tenant("none"))
    assert store.tenant_rows() == [changed]
