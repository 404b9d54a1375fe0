"""What is leased of a ready slice becomes slices of its own, and what stays between stays ready."""

from __future__ import annotations

from array import array

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.slices import LeasedSlice
from tq.master.store.interface.store import Inconsistent
from tq.master.store.interface.tasks import NamedTasks
from tq.master.store.sqlite.store import SqliteStore

from ..tasks import NOW, QUEUE, TASK
from .test_slices import group

READY, RUNNING = int(StateNumber.READY), int(StateNumber.RUNNING)


@pytest.fixture
def store() -> SqliteStore:
    made = SqliteStore(None, "memory")
    made.begin()
    assert made.insert([group(1, 10, made.add_route(QUEUE, TASK))])
    return made


def lease(store: SqliteStore, *seqs: int, attempt: int = 1) -> list[tuple[int, int]]:
    named = [NamedTasks(9, 0, array("q", seqs))]
    given = store.lease([], 99, None, bytes([attempt]) * 16, 1, NOW, {9: 99}, None, named)
    return [(one.seq, one.stop) for one in given if isinstance(one, LeasedSlice)]


def slices(store: SqliteStore) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = store._run("SELECT seq, stop, state FROM slices ORDER BY seq")
    return found


def test_neighbours_are_leased_together_and_gaps_stay_ready(store: SqliteStore) -> None:
    assert lease(store, 2, 3, 5, 9) == [(2, 4), (5, 6), (9, 10)]
    assert slices(store) == [
        (1, 2, READY),
        (2, 4, RUNNING),
        (4, 5, READY),
        (5, 6, RUNNING),
        (6, 9, READY),
        (9, 10, RUNNING),
        (10, 11, READY),
    ]
    assert lease(store, 1, 4, 6, 7, 8, 10, attempt=2) == [(1, 2), (4, 5), (6, 9), (10, 11)]
    assert {state for _, _, state in slices(store)} == {RUNNING}


def test_all_of_a_slice_is_one_piece_however_it_is_named(store: SqliteStore) -> None:
    assert lease(store, *range(10, 0, -1)) == [(1, 11)]
    assert slices(store) == [(1, 11, RUNNING)]


def test_a_task_that_is_not_ready_is_not_leased_again(store: SqliteStore) -> None:
    lease(store, 2)
    with pytest.raises(Inconsistent):
        lease(store, 2, attempt=2)
