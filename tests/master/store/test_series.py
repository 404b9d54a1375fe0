"""What the master has measured, in a store."""

from __future__ import annotations

from tq.master.store.interface.store import Store

from .tasks import within


def test_a_place_has_one_point_and_points_come_in_the_order_of_their_slots(store: Store) -> None:
    assert store.series.last(10) is None
    for slot in (7, 8, 9):
        within(store, lambda slot=slot: store.series.put(10, slot % 3, slot, b"%d" % slot))
    within(store, lambda: store.series.put(60, 1, 1, b"a minute"))
    within(store, lambda: store.series.put(10, 10 % 3, 10, b"10"))
    assert store.series.rows(10, 0, 9) == [(8, b"8"), (9, b"9"), (10, b"10")]
    assert store.series.rows(10, 8, 1) == [(9, b"9")]
    assert store.series.last(10) == (10, b"10")
    within(store, lambda: store.series.put(10, 10 % 3, 10, b"more"))
    assert store.series.last(10) == (10, b"more")
