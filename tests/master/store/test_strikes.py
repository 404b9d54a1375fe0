"""Strikes in a store."""

from __future__ import annotations

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.store import Inconsistent, Store
from tq.master.store.interface.strikes import NewLane, ReadySpan, StrikeRow
from tq.master.store.interface.tasks import NewArray

from .tasks import LEASE, NOW, as_array, insert, task, within


def test_a_strike_is_kept_as_it_was_changed_last_until_it_is_dropped(store: Store) -> None:
    within(store, lambda: store.add_strike("task=m:f", "why", "key", NOW, NOW + 5))
    within(store, lambda: store.add_strike("queue=q", "", "key", NOW, None))
    one, other = store.strike_rows()
    assert one == StrikeRow(one.number, "task=m:f", "why", "key", NOW, NOW + 5)
    changed = one._replace(reason="other", key="else", until=None)
    within(store, lambda: store.change_strike(changed))
    assert store.strike_rows() == [changed, other]
    within(store, lambda: store.drop_strike(other.number))
    assert store.strike_rows() == [changed]
    within(store, lambda: store.add_strike("queue=r", "", "key", NOW, None))
    assert store.strike_rows()[-1].number > other.number, "a number is never used again"


def test_a_strike_that_is_still_compared_says_so(store: Store) -> None:
    number = within(store, lambda: store.add_strike("arg.to=a", "", "key", NOW, None, comparing=True))
    [row] = store.strike_rows()
    assert (row.number, row.comparing) == (number, True)
    within(store, lambda: store.change_strike(row._replace(comparing=False)))
    assert not store.strike_rows()[0].comparing


def array(seq: int, route: int, tasks: int, **fields: object) -> NewArray:
    like = task(seq, route, **fields)  # type: ignore[arg-type]
    return as_array(like, [(seq + place, (seq + place).to_bytes(16, "big"), b"p") for place in range(tasks)])


def numbers(spans: list[ReadySpan]) -> list[tuple[int, int]]:
    return [(span.seq, span.stop) for span in spans]


def test_what_is_ready_in_a_lane_is_read_page_by_page_by_priority_and_then_by_age(
    store: Store, route: int
) -> None:
    for seq, priority in ((1, 0), (2, 5), (3, 0), (4, -1), (5, 5)):
        insert(store, task(seq, route, priority=priority, options=b"\x80"))
    insert(
        store,
        task(6, route, StateNumber.SCHEDULED, due=NOW),
        array(10, route, 3),
        array(20, route, 2, priority=9),
    )
    store.begin()
    seen: list[tuple[int, int]] = []
    after = None
    while spans := store.ready_after(route, after, 2, in_arrays=False):
        seen += numbers(spans)
        after = spans[-1].priority, spans[-1].seq
        assert {(span.route, span.options, bool(span.in_array)) for span in spans} == {
            (route, b"\x80", False)
        }
    assert seen == [(2, 3), (5, 6), (1, 2), (3, 4), (4, 5)]
    slices = store.ready_after(route, None, 9, in_arrays=True)
    assert numbers(slices) == [(20, 22), (10, 13)]
    assert all(span.in_array for span in slices)
    assert store.ready_after(route + 1, None, 9, in_arrays=True) == []


def test_what_is_ready_of_some_tasks_is_found_by_their_numbers(store: Store, route: int) -> None:
    insert(
        store, task(1, route), task(2, route, StateNumber.RUNNING), array(10, route, 10), array(20, route, 3)
    )
    store.begin()
    assert numbers(store.ready_over([(0, 3)])) == [(1, 2)]
    assert numbers(store.ready_over([(15, 16), (17, 18)])) == [(10, 20)]
    assert numbers(store.ready_over([(1, 2), (19, 21)])) == [(1, 2), (10, 20), (20, 23)]
    store.lease([route], 14, None, LEASE, 1, NOW)
    assert numbers(store.ready_over([(0, 99)])) == []


def test_tasks_change_their_lanes_and_an_array_is_cut_only_where_they_differ(
    store: Store, route: int
) -> None:
    other = within(store, lambda: store.add_route("q", "m:f", b"other"))
    assert isinstance(other, int)
    insert(store, task(1, route), task(2, route), array(10, route, 10), array(30, route, 4))
    store.begin()
    rows = {span.seq: span for span in store.ready_over([(0, 99)])}
    store.change_lanes(
        [
            (rows[2], [NewLane(2, 3, other)]),
            (rows[10], [NewLane(10, 11, other), NewLane(13, 15, other), NewLane(19, 20, other)]),
            (rows[30], [NewLane(30, 34, other)]),
        ]
    )
    store.commit()
    store.begin()
    assert numbers(store.ready_after(route, None, 99, in_arrays=False)) == [(1, 2)]
    assert numbers(store.ready_after(route, None, 99, in_arrays=True)) == [(11, 13), (15, 19)]
    assert numbers(store.ready_after(other, None, 99, in_arrays=False)) == [(2, 3)]
    assert numbers(store.ready_after(other, None, 99, in_arrays=True)) == [
        (10, 11),
        (13, 15),
        (19, 20),
        (30, 34),
    ]
    leased = store.lease([other], 99, None, LEASE, 1, NOW)
    assert sorted(row.seq for row in leased) == [2, 10, 13, 19, 30]


def test_what_is_not_ready_any_more_changes_no_lane(store: Store, route: int) -> None:
    insert(store, task(1, route), array(10, route, 10))
    store.begin()
    row, slice = store.ready_over([(0, 99)])
    store.lease([route], 3, None, LEASE, 1, NOW)
    store.commit()
    for span, new in ((row, NewLane(1, 2, 7)), (slice, NewLane(10, 20, 7)), (slice, NewLane(12, 13, 7))):
        store.begin()
        with pytest.raises(Inconsistent):
            store.change_lanes([(span, [new])])
        store.rollback()
