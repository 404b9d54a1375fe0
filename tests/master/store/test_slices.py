"""Tasks of an array: leased and ended together, and each by itself."""

from __future__ import annotations

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.slices import LeasedSlice, RunningSlice, SucceededSlice
from tq.master.store.interface.store import Inconsistent, Store
from tq.master.store.interface.tasks import Returned, Want

from .tasks import LEASE, NOW, as_array, id_of, task, window

OTHER_LEASE = b"M" * 16
WORKER = 7


@pytest.fixture(autouse=True)
def within_a_transaction(store: Store, route: int) -> None:
    store.begin()


def submit(store: Store, route: int, size: int, first: int = 1) -> None:
    tasks = [(seq, id_of(seq), b"payload %d" % seq) for seq in range(first, first + size)]
    assert store.insert([as_array(task(first, route), tasks)])


def lease(store: Store, route: int, limit: int, lease: bytes = LEASE) -> LeasedSlice:
    [slice] = store.lease([route], limit, None, lease, WORKER, NOW)
    assert isinstance(slice, LeasedSlice)
    return slice


def states(store: Store, size: int) -> list[StateNumber]:
    return [StateNumber(row.state) for row in store.find([id_of(seq) for seq in range(1, size + 1)])]


def test_neighbours_are_leased_together_with_their_payloads(store: Store, route: int) -> None:
    submit(store, route, 5)
    first, second = lease(store, route, 2), lease(store, route, 9, OTHER_LEASE)
    assert (first.seq, first.stop, first.id, first.payloads) == (1, 3, id_of(1), [b"payload 1", b"payload 2"])
    assert (second.seq, second.stop, second.id, second.attempt) == (3, 6, id_of(3), 1)
    assert store.load().slices == [
        RunningSlice(1, 3, id_of(1), route, 1, 0, LEASE, WORKER, NOW, None, None),
        RunningSlice(3, 6, id_of(3), route, 1, 0, OTHER_LEASE, WORKER, NOW, None, None),
    ]


def test_a_part_of_what_was_leased_succeeds_and_each_task_has_its_result(store: Store, route: int) -> None:
    submit(store, route, 4)
    lease(store, route, 4)
    store.succeed_slices([SucceededSlice(2, 4, 1, LEASE, NOW + 5_000, [1.0, 2.0], [b"two", None])])
    assert states(store, 4) == [
        StateNumber.RUNNING,
        StateNumber.SUCCEEDED,
        StateNumber.SUCCEEDED,
        StateNumber.RUNNING,
    ]
    assert [row.body for row in store.outcomes(map(id_of, (2, 3)))] == [b"two", None]
    second = store.full(id_of(2))
    assert second is not None
    assert (second.started, second.finished, second.worker) == (NOW + 4_000, NOW + 5_000, WORKER)


@pytest.mark.parametrize("stale", [{"attempt": 2}, {"lease": OTHER_LEASE}, {"stop": 6}])
def test_what_is_not_leased_so_is_not_ended(store: Store, route: int, stale: dict[str, object]) -> None:
    submit(store, route, 4)
    lease(store, route, 4)
    row = SucceededSlice(1, 5, 1, LEASE, NOW, [0.0] * 4, [None] * 4)
    with pytest.raises(Inconsistent):
        store.succeed_slices([row._replace(**stale)])  # type: ignore[arg-type]


@pytest.mark.parametrize("leased", [(1, 5), (1, 9), (2, 4), None])
def test_what_is_said_of_the_slice_saves_a_look_and_decides_nothing(
    store: Store, route: int, leased: tuple[int, int] | None
) -> None:
    submit(store, route, 8)
    lease(store, route, 4)
    lease(store, route, 4, OTHER_LEASE)
    row = SucceededSlice(2, 4, 1, LEASE, NOW, [0.0] * 2, [b"two", b"three"], leased)
    store.succeed_slices([row])
    store.succeed_slices([row._replace(seq=1, stop=2, seconds=[0.0], results=[b"one"])])
    assert states(store, 8) == [StateNumber.SUCCEEDED] * 3 + [StateNumber.RUNNING] * 5
    assert [row.body for row in store.outcomes(map(id_of, (1, 2, 3)))] == [b"one", b"two", b"three"]
    with pytest.raises(Inconsistent):
        store.succeed_slices([row])


def test_several_calls_are_given_neighbours_of_one_slice_and_rows_in_their_order(
    store: Store, route: int
) -> None:
    submit(store, route, 5)
    assert store.insert([task(6, route), task(7, route, priority=1)])
    wants = [
        Want(3, LEASE, WORKER),
        Want(2, OTHER_LEASE, WORKER),
        Want(9, b"N" * 16, WORKER),
        Want(1, b"O" * 16, 1),
    ]
    given = store.lease_each([route], wants, NOW)
    assert [[(row.seq, row.attempt) for row in rows] for rows in given] == [
        [(7, 1), (1, 1)],
        [(3, 1)],
        [(5, 1), (6, 1)],
        [],
    ]
    assert [(slice.seq, slice.stop, slice.lease) for slice in store.load().slices] == [
        (1, 3, LEASE),
        (3, 5, OTHER_LEASE),
        (5, 6, b"N" * 16),
    ]


def test_what_was_handed_back_is_leased_again_with_the_next_attempt(store: Store, route: int) -> None:
    submit(store, route, 4)
    lease(store, route, 4)
    store.return_unstarted([Returned(int(StateNumber.READY), None, seq, 1, LEASE) for seq in (2, 3)])
    again = lease(store, route, 9, OTHER_LEASE)
    assert (again.seq, again.stop, again.attempt, again.returned) == (2, 4, 2, 1)


def test_an_id_of_an_array_is_taken_whatever_comes_under_it(store: Store, route: int) -> None:
    submit(store, route, 4)
    assert not store.insert([task(5, route, id=id_of(3))])
    assert not store.insert([as_array(task(5, route), [(5, id_of(4), b""), (6, id_of(5), b"")])])
    assert store.insert([task(5, route)])
    assert not store.insert([as_array(task(6, route), [(6, id_of(5), b""), (7, id_of(6), b"")])])
    assert len(window(store, 100, 100)) == 5


def test_nothing_is_left_of_an_array_whose_tasks_are_deleted(store: Store, route: int) -> None:
    submit(store, route, 3)
    store.cancel_waiting([2], NOW)
    store.delete([1, 3])
    assert store.find(map(id_of, (1, 3))) == []
    store.delete([2])
    submit(store, route, 3)
    assert states(store, 3) == [StateNumber.READY] * 3
