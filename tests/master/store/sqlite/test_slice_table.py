"""How slices are split."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.sqlite.slice_table import Slice
from tq.master.store.sqlite.store import SqliteStore

from ..tasks import LEASE, NOW, as_array, id_of, task


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    """With one array of six tasks that have succeeded."""
    store = SqliteStore(None, "memory")
    store.begin()
    route = store.add_route("q", "m:f")
    tasks = [(seq, id_of(seq), b"p%d" % seq) for seq in range(1, 7)]
    assert store.insert([as_array(task(1, route), tasks)])
    store.lease([route], 6, None, LEASE, 1, NOW)
    results: list[bytes | None] = [b"r%d" % seq for seq in range(1, 7)]
    store.succeed_slices([SucceededSlice(1, 7, 1, LEASE, NOW, [float(seq) for seq in range(6)], results)])
    yield store
    store.rollback()
    store.close()


def whole(store: SqliteStore) -> Slice:
    one = store.slices.at(1)
    assert one is not None
    return one


def test_results_and_times_stay_with_their_tasks(store: SqliteStore) -> None:
    store.slices.split(whole(store), 3)
    parts = [one for one in (store.slices.at(2), store.slices.at(3)) if one is not None]
    assert [(one.seq, one.stop) for one in parts] == [(1, 3), (3, 7)]
    found = [store.slices.results(one) for one in parts]
    assert [part.results for part in found] == [[b"r1", b"r2"], [b"r3", b"r4", b"r5", b"r6"]]
    assert [list(part.seconds) for part in found] == [[0.0, 1.0], [2.0, 3.0, 4.0, 5.0]]


@pytest.mark.parametrize(
    ("start", "stop", "left"), [(1, 7, []), (1, 2, [(2, 7)]), (6, 7, [(1, 6)]), (3, 5, [(1, 3), (5, 7)])]
)
def test_what_is_before_and_behind_removed_tasks_stays(
    store: SqliteStore, start: int, stop: int, left: list[tuple[int, int]]
) -> None:
    store.slices.cut_out(whole(store), [(start, stop)])
    assert sorted((one.seq, one.stop) for one in store.slices.newest(100)) == left


def test_tasks_are_found_as_runs_of_neighbours(store: SqliteStore) -> None:
    store.slices.split(whole(store), 4)
    runs = [(one.seq, start, stop) for one, start, stop in store.slices.runs([2, 3, 4, 6, 9])]
    assert runs == [(1, 2, 4), (4, 4, 5), (4, 6, 7)]


def test_what_was_read_before_a_rollback_is_read_again(store: SqliteStore) -> None:
    assert store.slices.payloads(1)[0] == b"p1"
    store.rollback()
    store.begin()
    route = store.add_route("q", "m:f")
    other = [(1, id_of(1), b"other"), (2, id_of(2), b"")]
    assert store.insert([as_array(task(1, route), other)])
    assert store.payload(1) == b"other"
