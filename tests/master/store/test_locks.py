"""The store's part for locks, events and barriers: what every store must do with them."""

from __future__ import annotations

import pytest
from tq.master.store.interface.locks import ClaimRow, DeletedRow, PrimitiveRow
from tq.master.store.interface.store import Inconsistent, Store

NODE, ONE, TWO = b"n" * 16, b"1" * 16, b"2" * 16


pytestmark = pytest.mark.usefixtures("transaction")


def test_the_picture_has_everything_in_the_order_it_was_made(store: Store) -> None:
    lock = store.locks.add_primitive("lock", "x", "semaphore", 3, NODE, 3)
    event = store.locks.add_primitive("event", "x", "event", 0, None, 0)
    store.locks.set_primitive(lock, 1, 2)
    claims = [
        ClaimRow(lock, TWO, NODE, 1, 1),
        ClaimRow(lock, ONE, NODE, 1, 2),
        ClaimRow(event, ONE, NODE, 0, 0),
    ]
    for claim in claims:
        store.locks.add_claims([claim])
    assert store.locks.load() == (
        [
            PrimitiveRow(lock, "lock", "x", "semaphore", 3, NODE, 1, 2),
            PrimitiveRow(event, "event", "x", "event", 0, None, 0, 0),
        ],
        claims,
    )


def test_a_claim_ends_once_and_is_remembered_until_it_is_deleted(store: Store) -> None:
    lock = store.locks.add_primitive("lock", "x", "lock", 1, None, 1)
    store.locks.add_claims([ClaimRow(lock, ONE, NODE, 1, 7)])
    store.locks.end_claim(lock, ONE, 0)
    assert store.locks.load()[1] == [ClaimRow(lock, ONE, NODE, 0, 0)]
    with pytest.raises(Inconsistent):
        store.locks.end_claim(lock, ONE, 0)
    store.locks.delete_claim(lock, ONE)
    with pytest.raises(Inconsistent):
        store.locks.delete_claim(lock, ONE)


def test_what_is_deleted_is_remembered_in_order_until_its_name_is_used_again(store: Store) -> None:
    rows = [DeletedRow("lock", "y", 7), DeletedRow("lock", "x", 3), DeletedRow("event", "x", 1)]
    for row in rows:
        store.locks.remember(row)
    assert store.locks.deleted() == rows
    store.locks.forget("lock", "x")
    assert store.locks.deleted() == [rows[0], rows[2]]
    with pytest.raises(Inconsistent):
        store.locks.forget("lock", "x")


def test_dropping_one_leaves_the_others(store: Store) -> None:
    first = store.locks.add_primitive("lock", "x", "lock", 1, None, 1)
    second = store.locks.add_primitive("lock", "y", "lock", 1, None, 1)
    for number in (first, second):
        store.locks.add_claims([ClaimRow(number, ONE, NODE, 1, 1)])
    store.locks.drop_primitive(first)
    rows, claims = store.locks.load()
    assert ([row.name for row in rows], claims) == (["y"], [ClaimRow(second, ONE, NODE, 1, 1)])
