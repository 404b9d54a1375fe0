"""The store's part for locks, events and barriers: what every store must do with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tq.master.store.interface.locks import ClaimRow, SyncRow
from tq.master.store.interface.store import Inconsistent, Store
from tq.master.store.sqlite.store import SqliteStore

NODE, ONE, TWO = b"n" * 16, b"1" * 16, b"2" * 16


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = SqliteStore(None if request.param == "memory" else tmp_path / "tq.db")
    store.begin()
    yield store
    store.rollback()
    store.close()


def test_the_picture_has_everything_in_the_order_it_was_made(store: Store) -> None:
    lock = store.syncs.add_sync("lock", "x", "semaphore", 3, NODE, 3)
    event = store.syncs.add_sync("event", "x", "event", 0, None, 0)
    store.syncs.set_sync(lock, 1, 2)
    claims = [
        ClaimRow(lock, TWO, NODE, 1, 1),
        ClaimRow(lock, ONE, NODE, 1, 2),
        ClaimRow(event, ONE, NODE, 0, 0),
    ]
    for claim in claims:
        store.syncs.add_claim(claim)
    assert store.syncs.load() == (
        [
            SyncRow(lock, "lock", "x", "semaphore", 3, NODE, 1, 2),
            SyncRow(event, "event", "x", "event", 0, None, 0, 0),
        ],
        claims,
    )


def test_a_claim_ends_once_and_is_remembered_until_it_is_deleted(store: Store) -> None:
    lock = store.syncs.add_sync("lock", "x", "lock", 1, None, 1)
    store.syncs.add_claim(ClaimRow(lock, ONE, NODE, 1, 7))
    store.syncs.end_claim(lock, ONE, 0)
    assert store.syncs.load()[1] == [ClaimRow(lock, ONE, NODE, 0, 0)]
    with pytest.raises(Inconsistent):
        store.syncs.end_claim(lock, ONE, 0)
    store.syncs.delete_claim(lock, ONE)
    with pytest.raises(Inconsistent):
        store.syncs.delete_claim(lock, ONE)


def test_dropping_one_leaves_the_others(store: Store) -> None:
    first = store.syncs.add_sync("lock", "x", "lock", 1, None, 1)
    second = store.syncs.add_sync("lock", "y", "lock", 1, None, 1)
    for number in (first, second):
        store.syncs.add_claim(ClaimRow(number, ONE, NODE, 1, 1))
    store.syncs.drop_sync(first)
    rows, claims = store.syncs.load()
    assert ([row.name for row in rows], claims) == (["y"], [ClaimRow(second, ONE, NODE, 1, 1)])


@pytest.mark.parametrize("statement", ["set_sync", "drop_sync", "drop_claims", "end_claim", "delete_claim"])
def test_no_statement_on_the_way_of_a_lock_scans(statement: str) -> None:
    store = SqliteStore(None, "memory")
    sql = store._sql[statement]
    plan = [row[3] for row in store._db.execute("EXPLAIN QUERY PLAN " + sql, [1] * sql.count("?"))]
    assert not [step for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step], plan
    store.close()
