"""Keys in a store."""

from __future__ import annotations

from tq.master.store.interface.keys import KeyRow
from tq.master.store.interface.store import Store

from .tasks import NOW, within


def test_a_key_is_kept_as_it_was_put_last(store: Store) -> None:
    key = KeyRow("id", "worker", "gpu.*", "none", b"s", b"t", "active", "note", NOW, None, "acme", 5, None)
    within(store, lambda: store.put_key(key))
    within(store, lambda: store.put_key(key._replace(state="revoked", last_used=NOW)))
    assert store.key_rows() == [key._replace(state="revoked", last_used=NOW)]
