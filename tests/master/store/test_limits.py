"""Limits in a store."""

from __future__ import annotations

from tq.master.store.interface.limits import LimitRow
from tq.master.store.interface.store import Store

from .tasks import NOW, within


def test_a_limit_is_kept_as_it_was_put_last_until_it_is_dropped(store: Store) -> None:
    smtp, api = LimitRow("smtp", "key", b"d", None, NOW), LimitRow("api", "", b"e", b"f", NOW)
    within(store, lambda: store.limits.put(smtp))
    within(store, lambda: store.limits.put(api))
    changed = smtp._replace(declared=b"g", edits=b"h", since=NOW + 1)
    within(store, lambda: store.limits.put(changed))
    assert store.limits.rows() == [api, changed]
    within(store, lambda: store.limits.drop("api"))
    within(store, lambda: store.limits.drop("none"))
    assert store.limits.rows() == [changed]
