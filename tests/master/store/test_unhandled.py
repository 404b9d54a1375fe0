"""Ends of tasks whose handlers are not made yet, in a store: in order, until they are made."""

from __future__ import annotations

from tq.master.store.interface.store import Store
from tq.master.store.interface.unhandled import UnhandledEnd

from .tasks import NOW, id_of, within


def end(number: int, tasks: int = 1, body: bytes | None = None) -> UnhandledEnd:
    return UnhandledEnd(0, id_of(number), tasks, "q", "m:f", 11, body, b"handler", NOW)


def test_ends_are_kept_in_order_until_they_are_made(store: Store) -> None:
    within(store, lambda: store.unhandled.add([end(1, 1_000), end(9, body=b"failure")]))
    first, second = store.unhandled.first(10)
    assert (first, second) == (
        end(1, 1_000)._replace(number=first.number),
        end(9, body=b"failure")._replace(number=second.number),
    )
    assert store.unhandled.first(1) == [first]
    within(store, lambda: store.unhandled.keep(first._replace(id=id_of(5), tasks=7)))
    assert store.unhandled.first(10) == [first._replace(id=id_of(5), tasks=7), second]
    within(store, lambda: store.unhandled.made([first.number]))
    assert store.unhandled.first(10) == [second]
