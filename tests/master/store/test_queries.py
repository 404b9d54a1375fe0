"""Reading tasks: by id, by filter, and what operators ask."""

from __future__ import annotations

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.queries import TaskFilter
from tq.master.store.interface.store import Store

from .tasks import NOW, QUEUE, as_array, id_of, insert, task, window, within


@pytest.fixture
def routes(store: Store, route: int) -> list[int]:
    """Their numbers are 1 and 2."""
    return [route, within(store, lambda: store.add_route(QUEUE, "m:g"))]  # type: ignore[list-item]


def add(
    store: Store, *seqs: int, route: int = 1, state: StateNumber = StateNumber.READY, **fields: int
) -> None:
    insert(store, *(task(seq, route, state, created=NOW + seqs[0], **fields) for seq in seqs))


def test_those_ahead_are_of_a_higher_priority_or_came_before(store: Store, routes: list[int]) -> None:
    add(store, 1, 2, 3)
    add(store, 4, 5, priority=7)
    add(store, 6, priority=-1)
    add(store, 7, route=2, priority=9)
    add(store, 8, priority=9, state=StateNumber.SCHEDULED)
    assert store.count_ahead(1, 0, 3, 100) == (4, 4)
    assert store.count_ahead(1, 0, 1, 100) == (2, 2)
    assert store.count_ahead(1, 7, 4, 100) == (0, 0)
    assert store.count_ahead(1, -1, 6, 100) == (5, 5)
    assert store.count_ahead(1, -1, 6, 3) == (3, 3), "it counts no further than asked"


def test_a_slice_that_is_ahead_is_one_row(store: Store, routes: list[int]) -> None:
    tasks = [(seq, id_of(seq), b"") for seq in range(10, 210)]
    insert(store, as_array(task(10, 1), tasks))
    add(store, 1, 2)
    assert store.count_ahead(1, 0, 500, 100) == (202, 3)
    assert store.count_ahead(1, 0, 110, 100) == (102, 3)
    assert store.count_ahead(1, 0, 110, 1) == (100, 1), "it counts no further than asked"


def test_the_sizes_of_what_has_not_ended_are_found_in_arrays_and_alone(
    store: Store, routes: list[int]
) -> None:
    tasks = [(seq, id_of(seq), b"x" * seq) for seq in range(10, 13)]
    insert(store, as_array(task(10, 1), tasks))
    add(store, 1)
    add(store, 2, state=StateNumber.SCHEDULED)
    add(store, 3, route=2)
    within(store, lambda: store.lease([1], 2, None, b"lease", 1, NOW))
    sizes = {id: size for route, id, size in store.unfinished_sizes([1])}
    alone = len(store.payload(1))
    assert sizes == {id_of(1): alone, id_of(2): alone, **{id_of(seq): seq for seq in range(10, 13)}}
    assert [route for route, _, _ in store.unfinished_sizes([2])] == [2]
    within(store, lambda: store.cancel_waiting([2, 12], NOW))
    assert len(list(store.unfinished_sizes([1]))) == 3


def test_the_oldest_ready_task_is_found_at_any_priority(store: Store, routes: list[int]) -> None:
    assert store.oldest_ready(1) is None
    add(store, 5, priority=100)
    add(store, 3, priority=-100)
    add(store, 1, state=StateNumber.SCHEDULED)
    add(store, 2, route=2)
    assert store.oldest_ready(1) == NOW + 3


def test_a_window_goes_back_from_a_task(store: Store, routes: list[int]) -> None:
    add(store, *range(1, 8))
    assert [row.seq for row in window(store, 6, 3)] == [5, 4, 3]
    assert window(store, 1, 10) == []


def test_a_brief_look_leaves_the_payload_where_it_is(store: Store, routes: list[int]) -> None:
    add(store, 1)
    task = store.brief(1)
    assert task is not None
    assert (task.queue, task.task, task.payload, task.result) == ("q", "m:f", b"", None)
    assert store.brief(2) is None


def test_listings_are_newest_first_and_filtered(store: Store, route: int) -> None:
    store.begin()
    other = store.add_route("r", "m:g")
    store.commit()
    insert(store, task(1, route), task(2, other), task(3, route, created=NOW + 9))
    seqs = lambda what: [one.seq for one in store.listing(what, 10)]  # noqa: E731
    assert seqs(TaskFilter()) == [3, 2, 1]
    assert seqs(TaskFilter(queue="r")) == [2]
    assert seqs(TaskFilter(task="m:f", before_seq=3)) == [1]
    assert seqs(TaskFilter(since=NOW + 1)) == [3]
    assert seqs(TaskFilter(states=(int(StateNumber.FAILED),))) == []


def test_the_times_when_tasks_were_submitted_are_known(store: Store, route: int) -> None:
    insert(store, task(1, route, created=NOW + 1), task(2, route, created=NOW + 2, priority=9))
    assert within(store, lambda: store.created([2, 1])) == [NOW + 2, NOW + 1]
