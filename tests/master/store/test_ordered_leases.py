"""Lanes with an order of their own in a store: what is first, and how much of it fits an answer."""

from __future__ import annotations

import pytest
from tq.master.store.interface.store import Store
from tq.master.store.interface.tasks import LaneOrder

from .tasks import LEASE, NOW, as_array, id_of, task, within

LIFO, DEADLINES = LaneOrder(is_lifo=True), LaneOrder(by_deadline=True)
MINUTE = 60_000


def leased(
    store: Store, route: int, order: LaneOrder, tasks: int, bytes_max: int | None = None
) -> list[tuple[int, int]]:
    """The numbers of what is leased, from each to behind the last one."""
    rows = within(
        store,
        lambda: store.lease([route], tasks, bytes_max, LEASE, 1, NOW, {route: tasks}, orders={route: order}),
    )
    return [(one.seq, getattr(one, "stop", one.seq + 1)) for one in rows]


def array(route: int, first: int, count: int, **fields: object) -> object:
    like = task(first, route, **fields)  # type: ignore[arg-type]
    return as_array(like, [(seq, id_of(seq), b"p" * seq) for seq in range(first, first + count)])


@pytest.fixture
def route(store: Store) -> int:
    return int(within(store, lambda: store.add_route("q", "m:f")))


def test_the_last_tasks_of_an_array_are_taken_off_its_end(store: Store, route: int) -> None:
    within(store, lambda: store.insert([array(route, 1, 10), task(11, route), task(12, route, priority=1)]))  # type: ignore[list-item]
    assert store.first_ready(route, LIFO) == (1, -12)
    assert leased(store, route, LIFO, 4) == [(12, 13), (11, 12), (9, 11)]
    assert leased(store, route, LIFO, 3) == [(6, 9)]
    assert store.first_ready(route, LIFO) == (0, -1)
    assert leased(store, route, LaneOrder(), 9) == [(1, 6)]


def test_payloads_are_measured_from_the_end_that_is_taken(store: Store, route: int) -> None:
    within(store, lambda: store.insert([array(route, 1, 10)]))  # type: ignore[list-item]
    assert leased(store, route, LIFO, 9, bytes_max=19) == [(9, 11)]
    assert leased(store, route, LIFO, 9, bytes_max=3) == [(8, 9)], "one that is too large goes alone"


def test_what_has_an_earlier_deadline_is_first_within_its_priority(store: Store, route: int) -> None:
    rows = [
        task(1, route, deadline=NOW + 500),
        array(route, 2, 3, deadline=NOW + 100),
        task(5, route, deadline=NOW + 100),
        task(6, route, deadline=NOW + 900, priority=1),
    ]
    within(store, lambda: store.insert(rows))  # type: ignore[arg-type]
    assert leased(store, route, DEADLINES, 9) == [(6, 7), (2, 5), (5, 6), (1, 2)]


def test_a_step_of_aging_is_a_period_that_has_begun(store: Store, route: int) -> None:
    start = NOW // MINUTE * MINUTE
    rows = [task(1, route, created=start), task(2, route, created=start + MINUTE, priority=1)]
    within(store, lambda: store.insert(rows))
    order = LaneOrder(aging=MINUTE, period=start // MINUTE + 5)
    assert store.first_ready(route, order) == (5, 1)
    assert leased(store, route, order, 2) == [(1, 2), (2, 3)]


def test_a_queue_keeps_its_order_when_it_is_paused_and_bounded(store: Store) -> None:
    within(store, lambda: store.order_queue("q", lifo=True, aging=0))
    within(store, lambda: store.put_queue("q", True, "", NOW))
    within(store, lambda: store.bound_queue("q", 5))
    [row] = store.load().queues
    assert (row.lifo, row.aging, row.maxsize, row.paused) == (1, 0, 5, 1)
    within(store, lambda: store.order_queue("q", lifo=False, aging=MINUTE))
    [row] = store.load().queues
    assert (row.lifo, row.aging) == (0, MINUTE)


def test_what_leaves_its_array_keeps_its_deadline(store: Store, route: int) -> None:
    within(
        store,
        lambda: store.insert([array(route, 1, 3, deadline=NOW + 100), task(9, route, deadline=NOW + 50)]),
    )  # type: ignore[list-item]
    within(store, lambda: store.cancel_waiting([2], NOW))
    assert leased(store, route, DEADLINES, 9) == [(9, 10), (1, 2), (3, 4)]
