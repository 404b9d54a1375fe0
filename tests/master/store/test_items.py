"""The store's part for plain values: what every store must do with them."""

from __future__ import annotations

import pytest
from tq.master.store.interface.items import HeldItemRow, ItemPicture, NewItem
from tq.master.store.interface.store import Inconsistent, Store

NODE, ONE, TWO = b"n" * 16, b"1" * 16, b"2" * 16


pytestmark = pytest.mark.usefixtures("transaction")


def item(seq: int, queue: int, rank: bytes | int = 0, token: bytes | None = None) -> NewItem:
    return NewItem(seq, queue, rank, token, NODE if token else None, b"%d" % seq)


def test_items_come_by_rank_then_age(store: Store) -> None:
    queue = store.items.add_queue("q", "priority", 0, None)
    store.items.put([item(1, queue, b"b"), item(2, queue, b"a"), item(3, queue, b"a")])
    taken = [store.items.take(queue, bytes([number]) * 16, NODE) for number in range(3)]
    assert taken == [b"2", b"3", b"1"]
    with pytest.raises(Inconsistent):
        store.items.take(queue, ONE, NODE)


def test_what_is_held_is_deleted_or_stands_where_it_stood(store: Store) -> None:
    queue = store.items.add_queue("q", "fifo", 0, None)
    store.items.put([item(1, queue), item(2, queue), item(3, queue, token=TWO)])
    assert store.items.take(queue, ONE, NODE) == b"1"
    assert (store.items.held(ONE), store.items.held(TWO)) == (b"1", b"3")
    store.items.release([ONE])
    store.items.delete([TWO])
    assert store.items.take(queue, ONE, NODE) == b"1"
    with pytest.raises(Inconsistent):
        store.items.held(TWO)
    with pytest.raises(Inconsistent):
        store.items.delete([TWO])


def test_neighbours_are_the_nearest_on_both_sides(store: Store) -> None:
    queue = store.items.add_queue("q", "priority", 0, None)
    other = store.items.add_queue("other", "priority", 0, None)
    store.items.put([item(1, queue, b"a"), item(2, queue, b"c"), item(3, queue, b"e"), item(4, other, b"b")])
    assert store.items.neighbours(queue, b"b") == [b"a", b"c"]
    assert store.items.neighbours(queue, b"c") == [b"c", b"c"]
    assert store.items.neighbours(queue, b"z") == [b"e"]


def test_the_picture_has_queues_holders_and_numbers(store: Store) -> None:
    queue = store.items.add_queue("q", "lifo", 7, NODE)
    store.items.put([item(5, queue, -5), item(6, queue, -6, token=ONE)])
    store.items.set_queue(queue, 2, 1)
    store.items.put_putters([(queue, TWO, 3, 100), (queue, ONE, 9, 200)])
    store.items.put_putters([(queue, TWO, 4, 100)])
    assert store.items.load() == ItemPicture(
        queues=[(queue, "q", "lifo", 7, 2, 1, NODE, 1)],  # type: ignore[list-item]
        held=[HeldItemRow(ONE, NODE, queue)],
        putters=[(queue, ONE, 9), (queue, TWO, 4)],
        last_seq=6,
    )
    assert store.items.forget_putters(150, 0) == []
    assert store.items.forget_putters(150, 10) == [(queue, TWO)]
    assert store.items.load().putters == [(queue, ONE, 9)]
    store.items.drop_queue(queue)
    assert store.items.load() == ItemPicture()


def test_items_that_no_get_holds_are_dropped_at_once(store: Store) -> None:
    queue, other = (store.items.add_queue(name, "fifo", 0, None) for name in "ab")
    store.items.put([item(1, queue), item(2, queue, token=ONE), item(3, other), item(4, queue)])
    store.items.drop_waiting(queue)
    assert [row.waiting for row in store.items.load().queues] == [0, 1]
    assert [row.token for row in store.items.load().held] == [ONE]
