"""Schedules and their history in a store."""

from __future__ import annotations

import pytest
from tq.master.store.interface.schedules import Decided, NewSchedule, OccurrenceRecord
from tq.master.store.interface.store import Inconsistent, Store

from .tasks import NOW

pytestmark = pytest.mark.usefixtures("transaction")


def new(name: str, fires: int | None = NOW, *, declared: int = 0, key: str = "k") -> NewSchedule:
    return NewSchedule(name, key, b"base", declared, NOW, NOW, fires)


def record(number: int, instant: int, **fields: object) -> OccurrenceRecord:
    plain = OccurrenceRecord(number, instant, 0, instant, 1, NOW, b"t%d" % instant, 0, None, None, None, "")
    return plain._replace(**fields)


def test_a_schedule_is_as_it_was_put(store: Store) -> None:
    number = store.schedules.add(new("a"))
    row = store.schedules.find("a")
    assert row is not None
    assert (row.number, row.name, row.fires, row.fired, row.edits) == (number, "a", NOW, 0, None)
    store.schedules.put(row._replace(edits=b"e", fires=None, paused=1, reason="r", since=5, orphaned=6))
    assert store.schedules.get(number) == row._replace(
        edits=b"e", fires=None, paused=1, reason="r", since=5, orphaned=6
    )
    assert store.schedules.find("b") is None


def test_numbers_are_never_used_again(store: Store) -> None:
    first = store.schedules.add(new("a"))
    store.schedules.record([record(first, NOW)])
    store.schedules.drop(first)
    assert store.schedules.add(new("a")) > first
    assert store.schedules.history(first, 10) == []
    with pytest.raises(Inconsistent):
        store.schedules.drop(first)


def test_what_is_due_comes_in_order(store: Store) -> None:
    for name, fires in (("a", NOW + 5), ("b", NOW), ("c", None), ("d", NOW + 10)):
        store.schedules.add(new(name, fires))
    assert store.schedules.next_fire() == NOW
    assert [row.name for row in store.schedules.due(NOW + 5, 10)] == ["b", "a"]
    assert [row.name for row in store.schedules.due(NOW + 99, 2)] == ["b", "a"]
    b = store.schedules.due(NOW, 1)[0].number
    store.schedules.decided([Decided(NOW, NOW + 20, 3, b)])
    row = store.schedules.get(b)
    assert row is not None
    assert (row.last, row.fires, row.fired) == (NOW, NOW + 20, 3)
    assert store.schedules.next_fire() == NOW + 5


def test_they_are_listed_in_portions_and_counted_by_key(store: Store) -> None:
    for name, key in (("c", "k"), ("a", "l"), ("b", "k")):
        store.schedules.add(new(name, key=key))
    assert [row.name for row in store.schedules.listing(0, 2)] == ["c", "a"]
    assert [row.name for row in store.schedules.listing(2, 2)] == ["b"]
    assert store.schedules.counts() == {"k": 2, "l": 1}


def test_orphans(store: Store) -> None:
    numbers = [store.schedules.add(new(name, declared=1)) for name in "abc"] + [store.schedules.add(new("d"))]
    assert [row.number for row in store.schedules.declared(0, 10)] == numbers[:3]
    assert [row.number for row in store.schedules.declared(numbers[0], 1)] == [numbers[1]]
    assert store.schedules.next_orphan() is None
    for number, since in zip(numbers, (7, 5), strict=False):
        row = store.schedules.get(number)
        assert row is not None
        store.schedules.put(row._replace(orphaned=since))
    assert store.schedules.next_orphan() == 5
    assert [row.orphaned for row in store.schedules.orphans(6, 10)] == [5]
    assert [row.number for row in store.schedules.declared(0, 10)] == [numbers[2]]


def test_the_history(store: Store) -> None:
    number = store.schedules.add(new("a"))
    assert not store.schedules.are_unfinished()
    rows = [
        record(number, 1),
        record(number, 2, held=1),
        record(number, 3, kind=3, task=None, state=-1, why="missed"),
        record(number, 4, kind=2),
    ]
    store.schedules.record(rows)
    assert store.schedules.history(number, 10) == rows[::-1]
    assert store.schedules.unfinished(number, 10) == [b"t1", b"t4"]
    assert store.schedules.held(number, 10) == [rows[1]]
    assert store.schedules.holding() == [number]
    assert store.schedules.are_unfinished()
    assert store.schedules.occurred(number, 1, 4) == {1: b"t1", 2: b"t2", 4: b"t4"}
    assert store.schedules.of_task(b"t4") == rows[3]
    assert store.schedules.of_task(b"t5") is None
    store.schedules.ended(b"t1", 10, 5, 6)
    assert store.schedules.unfinished(number, 10) == [b"t4"]
    assert store.schedules.of_task(b"t1") == rows[0]._replace(state=10, started=5, finished=6)


def test_only_the_newest_of_what_is_over_is_kept(store: Store) -> None:
    number = store.schedules.add(new("a"))
    store.schedules.record(
        [record(number, instant, state=None if instant == 2 else 10) for instant in range(10)]
    )
    store.schedules.forget(number, 3)
    assert [row.instant for row in store.schedules.history(number, 99)] == [9, 8, 7, 2]
