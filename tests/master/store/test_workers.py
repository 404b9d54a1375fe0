"""Workers in a store."""

from __future__ import annotations

from tq.common.domain.model import StateNumber
from tq.master.store.interface.store import Store

from .tasks import NOW, insert, task, within

NODE, OTHER = b"n" * 16, b"o" * 16


def test_a_worker_keeps_its_number_and_has_its_latest_host(store: Store) -> None:
    first = within(store, lambda: store.put_worker(NODE, "host", 1, NOW))
    assert within(store, lambda: store.put_worker(NODE, "host2", 2, NOW)) == first
    assert isinstance(first, int)
    assert store.worker_host(first) == "host2"
    assert store.worker_host(first + 1) is None
    assert store.worker_name(first) == (NODE, "host2")
    assert store.worker_name(first + 1) is None
    assert store.load().workers == [(first, NODE, "host2", 2)]


def test_a_worker_has_the_version_of_its_last_announcement(store: Store) -> None:
    number = within(store, lambda: store.put_worker(NODE, "host", 1, NOW, "2026-10"))
    assert within(store, lambda: store.put_worker(NODE, "host", 1, NOW, "2026-11")) == number
    assert [store.worker_version(number), store.worker_version(number + 1)] == ["2026-11", None]


def test_a_worker_that_holds_a_task_is_not_forgotten(store: Store, route: int) -> None:
    busy = within(store, lambda: store.put_worker(NODE, "host", 1, NOW))
    idle = within(store, lambda: store.put_worker(OTHER, "host", 2, NOW))
    last = within(store, lambda: store.put_worker(b"p" * 16, "host", 3, NOW))
    insert(store, task(1, route, StateNumber.RUNNING, worker=busy))
    assert isinstance(idle, int)
    within(store, lambda: store.forget_workers(NOW + 1, [idle]))
    assert [row[0] for row in store.load().workers] == [busy, idle, last]
    within(store, lambda: store.forget_workers(NOW + 1, []))
    assert [row[0] for row in store.load().workers] == [busy, last]


def test_the_number_of_a_worker_that_was_forgotten_is_not_given_to_another(store: Store) -> None:
    numbers = set()
    for node in range(5):
        numbers.add(within(store, lambda node=node: store.put_worker(bytes([node]) * 16, "host", 1, NOW)))  # type: ignore[misc]
        within(store, lambda: store.forget_workers(NOW + 1, []))
    assert len(numbers) == 5
