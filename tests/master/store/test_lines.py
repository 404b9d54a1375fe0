"""Arrays as wholes: newest first, up and down by their ids, counted without being opened."""

from __future__ import annotations

from itertools import islice

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.lines import LinePart, Span
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.interface.store import Store
from tq.master.store.interface.tasks import NewArray

from .tasks import LEASE, NOW, as_array, ended, id_of, insert, task, within

READY, RUNNING, SUCCEEDED, FAILED = map(
    int, (StateNumber.READY, StateNumber.RUNNING, StateNumber.SUCCEEDED, StateNumber.FAILED)
)


def number_of(id: int) -> int:
    return int.from_bytes(id_of(id), "big")


def array(seq: int, size: int, route: int, id: int) -> NewArray:
    tasks = [(seq + place, id_of(id + place), b"payload") for place in range(size)]
    return as_array(task(seq, route), tasks)


@pytest.fixture
def kept(store: Store, route: int) -> Store:
    """By number: array 1–5, task 6, array 7–10 with low ids, tasks 11 and 12. 2 and 3 of the first have succeeded, 4 failed."""
    insert(
        store,
        array(1, 5, route, 1_001),
        task(6, route, id=id_of(1_006)),
        array(7, 4, route, 500),
        task(11, route, id=id_of(1_011)),
        task(12, route, id=id_of(1_020)),
    )
    store.begin()
    store.lease([route], 4, None, LEASE, 1, NOW)
    store.succeed_slices([SucceededSlice(2, 4, 1, LEASE, NOW + 9, [1.0, 1.0], [b"r", b"r"])])
    store.end_attempts([ended(4, StateNumber.FAILED)])
    store.commit()
    store.begin()
    return store


def test_parts_are_newest_first_and_a_task_that_left_its_array_is_no_part(kept: Store) -> None:
    parts = list(kept.parts_before(12))
    assert [(part.seq, part.stop, part.is_array) for part in parts] == [
        (11, 12, False),
        (7, 11, True),
        (6, 7, False),
        (1, 6, True),
    ]
    assert parts[1] == LinePart(7, 11, id_of(500), NOW, 1, -1)
    assert [part.seq for part in kept.parts_before(1)] == []


def test_parts_are_found_by_their_ids_in_both_directions(kept: Store) -> None:
    down = [(part.number, part.end) for part in kept.parts_down(number_of(1_011))]
    assert down == [(1_006, 1_007), (1_001, 1_006), (500, 504)]
    up = [(part.number, part.end) for part in kept.parts_up(number_of(504))]
    assert up == [(1_001, 1_006), (1_006, 1_007), (1_011, 1_012), (1_020, 1_021)]


def test_an_array_in_the_midst_of_which_is_begun_is_cut(kept: Store) -> None:
    [below] = islice(kept.parts_down(1_003), 1)
    assert (below.seq, below.stop, below.number, below.end) == (1, 3, 1_001, 1_003)
    [above] = islice(kept.parts_up(1_003), 1)
    assert (above.seq, above.stop, above.number, above.end) == (3, 6, 1_003, 1_006)


def test_it_is_known_between_which_arrays_an_id_is(kept: Store) -> None:
    assert kept.between_arrays(1_006) == (1_006, 1 << 128)
    assert kept.between_arrays(600) == (504, 1_001)
    assert kept.between_arrays(3) == (0, 500)


def test_the_numbers_of_a_flows_tasks_are_known_also_when_one_left_its_array(
    store: Store, route: int
) -> None:
    insert(store, task(3, route, origin=-7), task(4, route))
    insert(store, as_array(task(5, route, origin=-7), [(5 + n, id_of(5 + n), b"p") for n in range(4)]))
    insert(store, task(9, route, origin=-8))
    store.begin()
    assert [store.bounds_of_flow(origin) for origin in (-7, -8, -9)] == [(3, 9), (9, 10), None]
    store.lease([route], 9, None, LEASE, 1, NOW)
    store.end_attempts([ended(8, StateNumber.FAILED)])
    assert store.bounds_of_flow(-7) == (3, 9)
    assert [part.origin for part in store.parts_before(100)] == [-8, -7, None, -7]
    assert [part.flow for part in store.parts_down(100)] == [8, 7, None, 7]
    store.delete([3])
    assert store.bounds_of_flow(-7) == (5, 9)


def test_long_walks_go_on_from_page_to_page(store: Store, route: int) -> None:
    groups = [array(1 + 3 * number, 2, route, 1 + 3 * number) for number in range(300)]
    alone = [task(3 + 3 * number, route) for number in range(300)]
    insert(store, *groups, *alone)
    store.begin()
    newest = [part.seq for part in store.parts_before(2_000)]
    assert newest == sorted([*range(1, 901, 3), *range(3, 901, 3)], reverse=True)
    assert [part.seq for part in store.parts_down(1 << 128)] == newest
    assert [part.seq for part in store.parts_up(0)] == newest[::-1]
    assert sum(span.tasks for span in store.spans_before(2_000)) == 900


def test_spans_are_slices_and_rows(kept: Store) -> None:
    spans = list(kept.spans_before(10))
    assert [(span.seq, span.stop, span.state) for span in spans] == [
        (7, 10, READY),
        (6, 7, READY),
        (5, 6, READY),
        (4, 5, FAILED),
        (2, 4, SUCCEEDED),
        (1, 2, RUNNING),
    ]
    assert spans[4] == Span(2, 4, id_of(1_002), 1, SUCCEEDED, NOW, worker=1)
    assert [(row.seq, row.id) for row in spans[4].rows()] == [(3, id_of(1_003)), (2, id_of(1_002))]
    assert spans[0].between(8, 9).id == id_of(501)
    assert spans[0].between(20, 30).tasks == 0


def test_tasks_are_counted_by_state_and_the_rows_that_were_read_are_known(kept: Store) -> None:
    whole = kept.totals(1, 6)
    assert whole.states == {RUNNING: 1, SUCCEEDED: 2, READY: 1, FAILED: 1}
    assert whole.rows == 5
    assert kept.totals(1, 6, sliced=False).states == {FAILED: 1}


def test_the_newest_failure_comes_first(store: Store, route: int) -> None:
    insert(store, array(1, 200, route, 1))
    within(store, lambda: store.lease([route], 200, None, LEASE, 1, NOW))
    within(store, lambda: store.end_attempts([ended(seq, StateNumber.FAILED) for seq in range(1, 151)]))
    store.begin()
    assert [row.seq for row in store.newest_failed(5, 101)] == list(range(100, 4, -1))
