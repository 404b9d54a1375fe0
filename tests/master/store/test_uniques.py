"""Tasks that are the same by a key, in a store: one row for each key, and no row that is of no use for long."""

from __future__ import annotations

from tq.common.domain.model import StateNumber
from tq.master.store.interface.store import Store
from tq.master.store.interface.uniques import UniqueRow

from .tasks import NOW, id_of, insert, task, within

OPEN = 0b1111
SUCCEEDED = 1 << StateNumber.SUCCEEDED


def row(number: int, states: int = OPEN, until: int | None = None) -> UniqueRow:
    return UniqueRow(1, f"key {number}", id_of(number), states, until)


def put(store: Store, *rows: UniqueRow) -> None:
    for one in rows:
        within(store, lambda one=one: store.uniques.put(one))


def test_a_key_has_one_row(store: Store) -> None:
    put(store, row(1), row(2), row(1)._replace(id=id_of(3), until=NOW))
    assert store.uniques.find(1, "key 1") == UniqueRow(1, "key 1", id_of(3), OPEN, NOW)
    assert store.uniques.find(1, "key 2") == row(2)
    assert store.uniques.find(2, "key 2") is None


def test_a_row_stays_while_its_task_may_be_a_conflict(store: Store, route: int) -> None:
    insert(store, task(1, route), task(2, route), task(3, route), task(4, route))
    within(store, lambda: store.cancel_waiting([3, 4], NOW))
    kept = [row(1), row(4, 1 << StateNumber.CANCELLED)]
    put(store, *kept, row(2, until=NOW), row(3), row(9))
    assert within(store, lambda: store.uniques.sweep(0, 2, NOW)) == 2
    assert within(store, lambda: store.uniques.sweep(2, 10, NOW)) == 0
    found = [store.uniques.find(1, f"key {number}") for number in (1, 4, 2, 3, 9)]
    assert found == [*kept, None, None, None]
    assert within(store, lambda: store.uniques.sweep(100, 2, NOW)) == 0
