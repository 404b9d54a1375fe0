"""What every store keeps of content and of the tasks that name it, on a file and in memory."""

from __future__ import annotations

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.store import Store
from tq.master.store.interface.tasks import NewTasks

NOW = 1_700_000_000_000
HASH, OTHER = b"h" * 32, b"o" * 32


pytestmark = pytest.mark.usefixtures("transaction")


def finished_tasks(store: Store, *seqs: int) -> None:
    tasks = [(seq, seq.to_bytes(16, "big"), b"") for seq in seqs]
    route = store.add_route("q", "m:f")
    assert store.insert([NewTasks(route=route, state=int(StateNumber.READY), created=NOW, tasks=tasks)])
    for seq in seqs:
        store.cancel_waiting([seq], NOW)


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


def test_a_task_names_what_another_one_does(store: Store) -> None:
    store.blobs.name_as(2, 1)
    for hash in (HASH, OTHER):
        store.blobs.name([(1, store.blobs.put(hash, 100, NOW))])
    store.blobs.name_as(2, 1)
    store.blobs.unname([(1,)])
    assert [store.blobs.find(hash).refs for hash in (HASH, OTHER)] == [1, 1]  # type: ignore[union-attr]


def test_each_way_to_delete_a_task_deletes_its_names(store: Store) -> None:
    finished_tasks(store, 1, 2)
    number = store.blobs.put(HASH, 100, NOW)
    store.blobs.name([(1, number), (2, number)])
    assert len(store.purge(NOW, 1)) == 1
    assert store.blobs.find(HASH).refs == 1  # type: ignore[union-attr]
    assert store.blobs.collect(NOW, 10) == []
    assert len(store.purge(NOW, 1)) == 1
    assert store.blobs.collect(NOW, 10) == [HASH]
    assert not store.blobs.any()


def test_only_content_that_no_task_names_and_whose_time_is_over_is_collected(store: Store) -> None:
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
