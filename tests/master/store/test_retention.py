"""What is deleted, and in which portions: tasks that ended together go together."""

from __future__ import annotations

import pytest
from tq.common.domain.model import StateNumber
from tq.common.domain.steps import STEPS_BYTES_MAX
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.interface.steps import StepRow
from tq.master.store.interface.store import Store

from .tasks import LEASE, NOW, as_array, as_rows, ended, id_of, insert, task, window, within

LATER = NOW + 1_000


def array(
    store: Store, route: int, first: int, tasks: int, *, finished: int | None = NOW, size: int = 10
) -> None:
    """An array that succeeded at that moment; None: it is leased."""
    rows = [(seq, id_of(seq), b"") for seq in range(first, first + tasks)]
    leased = {"attempt": 1, "lease": LEASE, "worker": 1}
    insert(store, as_array(task(first, route, StateNumber.RUNNING, **leased), rows))
    if finished is not None:
        results: list[bytes | None] = [bytes(size)] * tasks
        done = SucceededSlice(first, first + tasks, 1, LEASE, finished, [0.0] * tasks, results)
        within(store, lambda: store.succeed_slices([done]))


def left(store: Store) -> list[int]:
    return sorted(row.seq for row in window(store, 10**9, 10**5))


def test_an_array_goes_as_a_whole_however_small_the_portion_is(store: Store, route: int) -> None:
    array(store, route, 1, 100, finished=NOW)
    array(store, route, 101, 100, finished=NOW + 1)
    assert within(store, lambda: store.purge(LATER, 10)) == [(route, StateNumber.SUCCEEDED, 100)]
    assert left(store) == list(range(101, 201))


def test_a_portion_ends_with_the_task_that_fills_it(store: Store, route: int) -> None:
    for number in range(10):
        array(store, route, 10 * number + 1, 10, finished=NOW + number)
    assert len(within(store, lambda: store.purge(LATER, 30))) == 3  # type: ignore[arg-type]
    assert left(store) == list(range(31, 101))


def test_a_portion_ends_where_its_tasks_have_many_bytes_of_steps(store: Store, route: int) -> None:
    for number in range(4):
        array(store, route, 2 * number + 1, 2, finished=NOW + number)
        step = StepRow(2 * number + 1, 1, 0, "fetch", 1, NOW, 0.5, None, STEPS_BYTES_MAX * 2 // 3, b"body")
        within(store, lambda step=step: store.steps.add(step))  # type: ignore[misc]
    within(store, lambda: store.purge(LATER, 100))
    assert left(store) == [5, 6, 7, 8]
    within(store, lambda: store.purge_surplus(100, 0, 100))
    assert left(store) == []


def test_singles_and_arrays_go_in_the_order_in_which_they_ended(store: Store, route: int) -> None:
    insert(store, task(1, route), task(2, route))
    array(store, route, 3, 5, finished=NOW + 2)
    within(store, lambda: (store.cancel_waiting([1], NOW + 3), store.cancel_waiting([2], NOW + 1)))
    assert within(store, lambda: store.purge(NOW + 2, 100)) == [
        (route, StateNumber.CANCELLED, 1),
        (route, StateNumber.SUCCEEDED, 5),
    ]
    assert left(store) == [1]


def test_nothing_unfinished_is_purged(store: Store, route: int) -> None:
    array(store, route, 1, 10, finished=None)
    insert(store, task(20, route), task(21, route, StateNumber.SCHEDULED, due=NOW))
    within(store, lambda: store.succeed_slices([SucceededSlice(4, 6, 1, LEASE, NOW, [0.0] * 2, [None] * 2)]))
    within(store, lambda: store.purge(LATER, 1_000))
    within(store, lambda: store.purge_surplus(1_000, 1_000, 1_000))
    assert left(store) == [1, 2, 3, 6, 7, 8, 9, 10, 20, 21]
    assert store.payload(1) == b"", "the arguments of an array stay while a task of it does"


def test_a_surplus_of_singles_goes_exactly(store: Store, route: int) -> None:
    insert(store, *(task(seq, route) for seq in range(1, 11)))
    within(store, lambda: [store.cancel_waiting([seq], NOW + seq) for seq in range(1, 11)])
    within(store, lambda: store.purge_surplus(3, 0, 1_000))
    assert left(store) == list(range(4, 11))


@pytest.mark.parametrize(
    ("surplus", "gone"), [(1, 0), (49, 0), (50, 50), (70, 70), (100, 100), (120, 100), (160, 160)]
)
def test_a_surplus_within_an_array_goes_when_it_is_half_of_it(
    store: Store, route: int, surplus: int, gone: int
) -> None:
    array(store, route, 1, 100, finished=NOW)
    array(store, route, 101, 100, finished=NOW + 1)
    purged = within(store, lambda: store.purge_surplus(surplus, 0, 10_000))
    assert sum(row[2] for row in purged) == gone  # type: ignore[attr-defined]
    assert left(store) == list(range(gone + 1, 201))
    [outcome] = store.outcomes([id_of(200)])
    assert outcome.body == bytes(10)


def test_a_surplus_of_bytes_takes_as_many_as_have_them(store: Store, route: int) -> None:
    array(store, route, 1, 100, finished=NOW, size=1_000)
    array(store, route, 101, 100, finished=NOW + 1, size=1_000)
    before = store.counts.kept_bytes
    within(store, lambda: store.purge_surplus(0, 60_000, 10_000))
    assert 59_000 < before - store.counts.kept_bytes < 62_000
    within(store, lambda: store.purge_surplus(0, 60_000, 10_000))
    assert 99_000 < before - store.counts.kept_bytes < 104_000, "a fifth of the second array stays"
    within(store, lambda: store.purge_surplus(0, 10**9, 10_000))
    assert (store.counts.kept_bytes, left(store)) == (0, [])


def test_what_stays_of_an_array_is_what_it_was(store: Store, route: int) -> None:
    array(store, route, 1, 100)
    within(store, lambda: store.delete([seq for seq in range(1, 101) if seq % 10]))
    assert left(store) == list(range(10, 101, 10))
    assert [row.body for row in store.outcomes(map(id_of, range(10, 101, 10)))] == [bytes(10)] * 10
    within(store, lambda: store.delete(left(store)))
    array(store, route, 1, 100)


@pytest.mark.parametrize("in_array", [False, True])
def test_tasks_that_say_it_are_kept_for_their_own_time(store: Store, route: int, in_array: bool) -> None:
    def over(now: int, usual: int) -> list[int]:
        within(store, lambda: store.purge(now - usual, 100, usual))
        return left(store)

    new = as_array(task(1, route, ttl=5_000), [(seq, id_of(seq), b"") for seq in range(1, 7)])
    insert(store, new if in_array else as_rows(new), task(7, route))
    within(store, lambda: store.cancel_waiting([2, 3, 5, 7], NOW))
    assert over(NOW + 4_999, 10**6) == [1, 2, 3, 4, 5, 6, 7]
    assert over(NOW + 5_000, 10**6) == [1, 4, 6, 7]
    assert over(NOW + 5_000, 4_000) == [1, 4, 6]
    within(store, lambda: store.cancel_waiting([1, 4], NOW + 10_000))
    assert over(NOW + 14_999, 1) == [1, 4, 6]
    assert over(NOW + 15_000, 1) == [6]


def test_the_time_of_a_task_goes_with_it_when_it_leaves_its_array(store: Store, route: int) -> None:
    rows = [(seq, id_of(seq), b"") for seq in range(1, 4)]
    leased = {"attempt": 1, "lease": LEASE, "worker": 1, "ttl": 5_000}
    insert(store, as_array(task(1, route, StateNumber.RUNNING, **leased), rows))
    within(store, lambda: store.end_attempts([ended(2, StateNumber.FAILED, finished=NOW)]))
    within(store, lambda: store.purge(NOW, 100, 4_999))
    assert left(store) == [1, 2, 3]
    within(store, lambda: store.purge(NOW - 10**6, 100, 10**6 + 5_000))
    assert left(store) == [1, 3]


def test_of_what_is_too_much_goes_first_what_would_go_first(store: Store, route: int) -> None:
    insert(store, task(1, route, ttl=5_000), task(2, route), task(3, route, ttl=5_000), task(4, route))
    within(store, lambda: store.cancel_waiting([1, 2, 3, 4], NOW))
    within(store, lambda: store.purge_surplus(1, 0, 100, 6_000))
    within(store, lambda: store.purge_surplus(1, 0, 100, 4_000))
    assert len(left(store)) == 2
    assert {*left(store)} & {1, 3} != set()
    assert {*left(store)} & {2, 4} != set()
