"""What every store keeps of content and of the tasks that name it, on a file and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.store import Store
from tq.master.store.interface.tasks import NewTasks
from tq.master.store.sqlite.store import SqliteStore

NOW = 1_700_000_000_000
HASH, OTHER = b"h" * 32, b"o" * 32


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = SqliteStore(tmp_path / "tq.db" if request.param == "file" else None)
    store.begin()
    yield store
    store.rollback()
    store.close()


def finished_tasks(store: Store, *seqs: int) -> None:
    tasks = [(seq, seq.to_bytes(16, "big"), b"") for seq in seqs]
    lane = store.add_lane("q", "m:f")
    assert store.insert([NewTasks(lane=lane, state=int(StateNumber.READY), created=NOW, tasks=tasks)])
    for seq in seqs:
        store.cancel_waiting(seq, NOW)


def test_content_is_found_as_it_was_put(store: Store) -> None:
    assert store.blobs.find(HASH) is None
    assert not store.blobs.any()
    number = store.blobs.put(HASH, 100, NOW)
    assert store.blobs.find(HASH) == (number, HASH, 100, 0, NOW)
    assert store.blobs.any()


def test_putting_it_again_keeps_its_number_and_the_later_moment(store: Store) -> None:
    number = store.blobs.put(HASH, 100, NOW + 5)
    assert store.blobs.put(HASH, 100, NOW) == number
    assert store.blobs.find(HASH).keep == NOW + 5  # type: ignore[union-attr]
    store.blobs.put(HASH, 100, NOW + 9)
    assert store.blobs.find(HASH).keep == NOW + 9  # type: ignore[union-attr]


def test_a_task_names_content_once_however_often_it_is_said(store: Store) -> None:
    number = store.blobs.put(HASH, 100, NOW)
    store.blobs.name([(1, number), (1, number), (2, number)])
    assert store.blobs.find(HASH).refs == 2  # type: ignore[union-attr]


def test_whatever_deletes_a_task_takes_its_names_along(store: Store) -> None:
    finished_tasks(store, 1, 2)
    number = store.blobs.put(HASH, 100, NOW)
    store.blobs.name([(1, number), (2, number)])
    assert len(store.purge(NOW, 1)) == 1
    assert store.blobs.find(HASH).refs == 1  # type: ignore[union-attr]
    assert store.blobs.collect(NOW, 10) == []
    assert len(store.purge(NOW, 1)) == 1
    assert store.blobs.collect(NOW, 10) == [HASH]
    assert not store.blobs.any()


def test_only_what_nobody_names_and_nobody_is_to_keep_is_collected(store: Store) -> None:
    named = store.blobs.put(HASH, 100, NOW)
    store.blobs.name([(1, named)])
    kept = store.blobs.put(OTHER, 100, NOW)
    store.blobs.keep(kept, NOW + 5)
    assert store.blobs.collect(NOW + 4, 10) == []
    assert store.blobs.collect(NOW + 5, 10) == [OTHER]
    assert store.blobs.find(HASH) is not None


def test_no_more_is_collected_than_was_asked_for_the_oldest_first(store: Store) -> None:
    for number in range(5):
        store.blobs.put(bytes([number]) * 32, 1, NOW - number)
    assert sorted(store.blobs.collect(NOW, 2)) == [b"\3" * 32, b"\4" * 32]
    assert len(store.blobs.collect(NOW, 10)) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "find_blob",
        "put_blob",
        "keep_blob",
        "name_blob",
        "collect_blobs",
        "any_blob",
        "any_blob_named",
        "unname_blobs",
    ],
)
def test_no_statement_looks_at_more_than_it_is_about(tmp_path: Path, statement: str) -> None:
    store = SqliteStore(tmp_path / "tq.db")
    sql = store._sql[statement]
    plan = [row[3] for row in store._db.execute("EXPLAIN QUERY PLAN " + sql, [1] * sql.count("?"))]
    assert not [step for step in plan if "TEMP B-TREE" in step], plan
    if not statement.startswith("any_"):  # they look at one row, whichever comes first
        assert not [step for step in plan if step.startswith("SCAN")], plan
    store.close()
