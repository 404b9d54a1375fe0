"""Tasks that are the same by a key, in a store: one row for each key, and no row that is of no use for long."""

from __future__ import annotations

from tq.master.store.interface.store import Store
from tq.master.store.interface.uniques import UniqueRow

from .tasks import NOW, id_of, within

OPEN = 0b1111


def row(number: int, states: int = OPEN, until: int | None = None) -> UniqueRow:
    return UniqueRow(1, f"key {number}", id_of(number), states, until)


def put(store: Store, *rows: UniqueRow) -> None:
    within(store, lambda: store.uniques.put(rows))


def test_a_key_has_one_row(store: Store) -> None:
    put(store, row(1), row(2), row(1)._replace(id=id_of(3), until=NOW, fresh=1_000))
    assert store.uniques.find(1, "key 1") == UniqueRow(1, "key 1", id_of(3), OPEN, NOW, 1_000)
    assert store.uniques.find(1, "key 2") == row(2)
    assert store.uniques.find(2, "key 2") is None


def test_the_row_of_a_task_is_found_while_it_is_the_last_one(store: Store) -> None:
    put(store, row(1), row(2))
    assert store.uniques.of_task(id_of(2)) == row(2)
    put(store, row(2)._replace(id=id_of(3)))
    assert store.uniques.of_task(id_of(2)) is None


def test_rows_are_looked_at_in_order_and_forgotten_by_their_numbers(store: Store) -> None:
    put(store, row(1), row(2), row(3))
    [(first, one), (second, two)] = store.uniques.behind(0, 2)
    assert (one, two) == (row(1), row(2))
    [(third, three)] = store.uniques.behind(second, 2)
    assert three == row(3)
    within(store, lambda: store.uniques.forget([first, third]))
    assert store.uniques.behind(0, 10) == [(second, row(2))]
