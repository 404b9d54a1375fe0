"""Receipts of rows of outboxes in a store."""

from __future__ import annotations

from tq.master.store.interface.store import Store

from .tasks import NOW, within


def test_a_receipt_is_known_until_its_time_is_over(store: Store) -> None:
    receipts = [bytes([number]) * 16 for number in range(1, 5)]
    within(store, lambda: store.outbox.keep([(receipt, "relay") for receipt in receipts[:3]]))
    within(store, lambda: store.outbox.keep([(receipts[3], "other")]))
    assert store.outbox.counts() == {"relay": 3, "other": 1}
    assert store.outbox.next_until() is None
    within(store, lambda: store.outbox.forget([receipts[0], receipts[3], bytes(16)], NOW + 10))
    within(store, lambda: store.outbox.forget([receipts[0]], NOW + 99))
    assert store.outbox.next_until() == NOW + 10, "forgotten twice, it is kept no longer"
    assert store.outbox.has(receipts[0])
    assert within(store, lambda: store.outbox.drop(NOW + 9, 10)) == []
    assert within(store, lambda: store.outbox.drop(NOW + 10, 1)) == ["relay"]
    assert within(store, lambda: store.outbox.drop(NOW + 10, 10)) == ["other"]
    assert [store.outbox.has(receipt) for receipt in receipts] == [False, True, True, False]
    assert store.outbox.counts() == {"relay": 2}
