"""Queues, callables and origins of tasks in a store."""

from __future__ import annotations

from tq.common.domain.model import StateNumber
from tq.master.store.interface.routes import QueueRow
from tq.master.store.interface.store import Store

from .tasks import NOW, QUEUE, TASK, ended, insert, task, within


def test_a_route_is_a_queue_and_a_callable(store: Store, route: int) -> None:
    other = within(store, lambda: store.add_route(QUEUE, "m:g"))
    assert store.load().routes == [(route, QUEUE, TASK, b""), (other, QUEUE, "m:g", b"")]


def test_a_lane_of_a_route_has_a_number_of_its_own_also_after_it_is_dropped(store: Store, route: int) -> None:
    lane = within(store, lambda: store.add_route(QUEUE, TASK, b"lane"))
    assert store.load().routes == [(route, QUEUE, TASK, b""), (lane, QUEUE, TASK, b"lane")]
    insert(store, task(1, lane, StateNumber.RUNNING))  # type: ignore[arg-type]
    within(store, lambda: store.end_attempts([ended(1, StateNumber.FAILED)]))
    assert [(one.route, one.tasks) for one in store.counts.read()] == [(lane, 1)]

    def forgotten() -> None:
        store.delete([1])
        store.drop_lane(lane)  # type: ignore[arg-type]

    within(store, forgotten)
    assert store.load().routes == [(route, QUEUE, TASK, b"")]
    again = within(store, lambda: store.add_route(QUEUE, TASK, b"other"))
    assert again != lane, "the master may still have something under the number of a dropped one"
    assert not [one for one in store.counts.read() if one.route == again]


def test_a_queue_is_paused_until_it_is_resumed(store: Store) -> None:
    within(store, lambda: store.put_queue("q", True, "why", NOW, NOW + 5, "key"))
    assert store.load().queues == [QueueRow("q", 1, "why", NOW, NOW + 5, "key")]
    within(store, lambda: store.put_queue("q", False, "", None))
    assert store.load().queues == [QueueRow("q")]


def test_the_bound_of_a_queue_stays_when_it_is_paused(store: Store) -> None:
    within(store, lambda: store.bound_queue("q", 100))
    within(store, lambda: store.put_queue("q", True, "why", NOW))
    assert store.load().queues == [QueueRow("q", 1, "why", NOW, maxsize=100)]
    within(store, lambda: store.bound_queue("q", 0))
    assert store.load().queues == [QueueRow("q", 1, "why", NOW)]


def test_what_came_from_a_deleted_queue_came_from_none(store: Store) -> None:
    kept, orphan = (within(store, lambda name=name: store.add_origin(name, "results")) for name in "ab")
    within(store, lambda: store.orphan_origins("b"))
    assert store.load().origins == [(kept, "a", "results"), (orphan, None, "results")]
