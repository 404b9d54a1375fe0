"""What is leased of several lanes at once."""

from __future__ import annotations

from tq.master.store.interface.store import Store

from .tasks import LEASE, NOW, QUEUE, TASK, as_array, id_of, insert, task, within


def test_of_a_lane_no_more_is_leased_than_it_has_room_for(store: Store, route: int) -> None:
    lane = within(store, lambda: store.add_route(QUEUE, TASK, b"lane"))
    like = task(0, lane)  # type: ignore[arg-type]
    insert(
        store,
        as_array(like, [(seq, id_of(seq), b"p") for seq in range(1, 11)]),
        task(11, route),
        task(12, lane, priority=9),  # type: ignore[arg-type]
    )
    assert store.first_ready(lane) == (9, 12)  # type: ignore[arg-type]

    def leased(bytes_max: int | None) -> list[int]:
        rows = store.lease([lane, route], 100, bytes_max, LEASE, 1, NOW, {lane: 3})  # type: ignore[list-item,dict-item]
        return [seq for row in rows for seq in range(row.seq, getattr(row, "stop", row.seq + 1))]

    assert within(store, lambda: leased(None)) == [12, 1, 2, 11]
    assert within(store, lambda: leased(1_000)) == [3, 4, 5]
    assert store.first_ready(lane) == (0, 6)  # type: ignore[arg-type]
    assert store.first_ready(route) is None
