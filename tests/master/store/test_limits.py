"""Limits in a store."""

from __future__ import annotations

from tq.master.store.interface.limits import BucketRow, LimitRow
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


def test_the_buckets_of_a_limit_are_kept_until_they_are_full_or_it_is_dropped(store: Store) -> None:
    one, other = (
        BucketRow("smtp", "a", -5, 60_000, NOW, NOW + 10),
        BucketRow("smtp", "b", 5, 60_000, NOW, NOW + 20),
    )
    api = BucketRow("api", "a", 1, 1_000, NOW, NOW + 30)
    within(store, lambda: store.limits.put_buckets([one, other, api]))
    changed = one._replace(level=7, at=NOW + 1, full=NOW + 11)
    within(store, lambda: store.limits.put_buckets([changed]))
    assert sorted(store.limits.buckets()) == [api, changed, other]
    within(store, lambda: store.limits.drop_full(NOW + 10, 100))
    assert len(store.limits.buckets()) == 3
    within(store, lambda: store.limits.drop_full(NOW + 20, 1))
    assert sorted(store.limits.buckets()) == [api, other]
    within(store, lambda: store.limits.drop("smtp"))
    assert store.limits.buckets() == [api]
