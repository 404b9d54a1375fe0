"""What a store keeps of the steps of tasks."""

from __future__ import annotations

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.steps import BytesOfKeys, SignalRow, StepRow, StepTotals
from tq.master.store.interface.store import Inconsistent, Store

from .tasks import NOW, as_array, insert, state_of, task

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
        store.steps.send(signal(1, seq=seq))
    store.delete([1, 3, 4])
    assert [seq for seq in range(1, 6) if store.steps.shown(seq)] == [2, 5]
    assert [seq for seq in range(1, 6) if store.steps.signals(seq)] == [2, 5]


def signal(number: int, *, seq: int = 1) -> SignalRow:
    return SignalRow(seq, bytes([number]) * 16, "approved", "key", "client", NOW, None, 4, b"body")


def test_a_wait_is_decided_once(store: Store) -> None:
    wait = StepRow(1, 2, 2, "approved", 1, NOW, None, NOW + 5, 0, None, "admin")
    store.steps.add(wait)
    store.steps.add(row(1))
    assert store.steps.waits(1) == [wait]
    decided = wait._replace(kind=3, recorded=NOW + 1, seconds=0.001, size=6, body=b"signal")
    store.steps.decide(decided)
    assert store.steps.waits(1) == []
    assert store.steps.after(1, 1, 0) == [decided._replace(role=None)]
    with pytest.raises(Inconsistent):
        store.steps.decide(decided)


def test_signals_stand_in_the_order_in_which_they_came_and_each_is_taken_once(store: Store) -> None:
    for number in (9, 1, 5):
        store.steps.send(signal(number))
    store.steps.send(signal(1, seq=2))
    store.steps.take(1, signal(1).token, 7)
    assert [one.step for one in store.steps.signals(1)] == [None, 7, None]
    assert [one.token[0] for one in store.steps.signals(1)] == [9, 1, 5]
    assert store.steps.signal(1, signal(5).token) == signal(5)
    assert store.steps.signal(2, signal(5).token) is None
    with pytest.raises(Inconsistent):
        store.steps.take(1, signal(1).token, 8)


def test_a_scheduled_task_is_woken_before_its_time_and_no_other(store: Store) -> None:
    route = store.add_route("q", "m:f")
    store.commit()
    insert(store, task(1, route, StateNumber.SCHEDULED, due=NOW + 1_000), task(2, route, StateNumber.READY))
    store.begin()
    store.wake(1)
    assert (state_of(store, 1), store.next_due()) == (StateNumber.READY, None)
    with pytest.raises(Inconsistent):
        store.wake(2)


def test_the_bytes_of_each_key_are_those_of_its_steps_and_signals_that_have_their_bodies(
    store: Store,
) -> None:
    route = store.add_route("q", "m:f")
    store.commit()
    insert(store, *(task(seq, route, StateNumber.READY) for seq in (1, 2)))
    store.begin()
    assert store.steps.bytes_of("a") == BytesOfKeys(0, 0)
    for seq, key in ((1, "a"), (1, "b"), (2, "a")):
        number = store.steps.totals(seq).steps + 1
        store.steps.add(row(number, seq=seq)._replace(key=key))
        store.steps.send(signal(number, seq=seq)._replace(key=key))
    wait = StepRow(2, 9, 2, "approved", 1, NOW, None, NOW + 5, 0, None, None)
    store.steps.add(wait)
    store.steps.decide(
        wait._replace(kind=3, size=6, body=b"signal")
    )  # it is counted as the signal that it was
    assert (store.steps.bytes_of("a"), store.steps.bytes_of("b")) == (BytesOfKeys(16, 24), BytesOfKeys(8, 24))
    store.steps.drop_bodies(1)
    assert (store.steps.bytes_of("a"), store.steps.bytes_of("b")) == (BytesOfKeys(8, 8), BytesOfKeys(0, 8))
    store.delete([1, 2])
    assert store.steps.bytes_of("a") == BytesOfKeys(0, 0)
