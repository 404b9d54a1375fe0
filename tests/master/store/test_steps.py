"""What a store keeps of the steps of tasks."""

from __future__ import annotations

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.steps import StepRow, StepTotals
from tq.master.store.interface.store import Store

from .tasks import NOW, as_array, insert, task

pytestmark = pytest.mark.usefixtures("transaction")


def row(number: int, *, seq: int = 1, body: bytes | None = b"body") -> StepRow:
    return StepRow(seq, number, 0, f"step {number}", 1, NOW, 0.5, None, len(body or b""), body)


def test_steps_are_read_in_order_until_they_are_many_bytes_and_at_least_one(store: Store) -> None:
    for number in (3, 1, 2, 7):
        store.steps.add(row(number))
    store.steps.add(row(1, seq=2))
    assert [one.number for one in store.steps.after(1, 0, 8)] == [1, 2]
    assert [one.number for one in store.steps.after(1, 2, 1)] == [3]
    assert [one.number for one in store.steps.after(1, 3, 100)] == [7]
    assert store.steps.after(1, 7, 100) == []
    assert store.steps.totals(1) == StepTotals(4, 16)
    assert store.steps.totals(3) == StepTotals(0, 0)
    assert store.steps.get(1, 7) == row(7)._replace(body=None)
    assert store.steps.get(1, 4) is None


def test_bodies_are_dropped_and_sizes_stay(store: Store) -> None:
    store.steps.add(row(1))
    store.steps.drop_bodies(1)
    assert store.steps.after(1, 0, 100) == store.steps.shown(1) == [row(1)._replace(body=None)]


def test_they_go_with_their_task_whether_it_is_alone_or_in_an_array(store: Store) -> None:
    route = store.add_route("q", "m:f")
    store.commit()
    ready = task(1, route, StateNumber.READY)
    insert(store, ready, as_array(ready, [(seq, seq.to_bytes(16, "big"), b"") for seq in range(2, 6)]))
    store.begin()
    for seq in range(1, 6):
        store.steps.add(row(1, seq=seq))
    store.delete([1, 3, 4])
    assert [seq for seq in range(1, 6) if store.steps.shown(seq)] == [2, 5]
