"""Queues, callables and origins of tasks in a store."""

from __future__ import annotations

from tq.master.store.interface.store import Store

from .tasks import NOW, QUEUE, TASK, within


def test_a_route_is_a_queue_and_a_callable(store: Store, route: int) -> None:
    other = within(store, lambda: store.add_route(QUEUE, "m:g"))
    assert store.load().routes == [(route, QUEUE, TASK), (other, QUEUE, "m:g")]


def test_a_queue_is_paused_until_it_is_resumed(store: Store) -> None:
    within(store, lambda: store.put_queue("q", True, "why", NOW))
    assert store.load().queues == [("q", 1, "why", NOW)]
    within(store, lambda: store.put_queue("q", False, "", None))
    assert store.load().queues == [("q", 0, "", None)]


def test_what_came_from_a_deleted_queue_came_from_none(store: Store) -> None:
    kept, orphan = (within(store, lambda name=name: store.add_origin(name, "results")) for name in "ab")
    within(store, lambda: store.orphan_origins("b"))
    assert store.load().origins == [(kept, "a", "results"), (orphan, None, "results")]
