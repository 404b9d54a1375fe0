"""Tasks that need others, in every kind of store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import id_behind
from tq.common.domain.model import StateNumber
from tq.master.store.interface.dependencies import (
    DependentProgress,
    DependentRow,
    Fallen,
    ParentRow,
    StateSpan,
    Unblocked,
)
from tq.master.store.interface.retention import PASSED_MAX, Purged
from tq.master.store.interface.store import Store

from .tasks import NOW, QUEUE, TASK, as_array, id_of, insert, task, within

READY, BLOCKED, FAILED = map(int, (StateNumber.READY, StateNumber.BLOCKED, StateNumber.FAILED))


def row(seq: int, tasks: int = 1, **fields: Any) -> DependentRow:
    base = DependentRow(
        seq, seq + tasks, id_of(seq), 0, 1, 1, 1, 0, None, 0, None, tasks, 0, None, [IdRun(id_of(1), 1)]
    )
    return base._replace(**fields)


@pytest.fixture
def route(store: Store) -> int:
    store.begin()
    number = store.add_route(QUEUE, TASK)
    store.commit()
    return number


def array(route: int, seq: int, tasks: int, state: StateNumber) -> Any:
    return as_array(
        task(seq, route, state), [(seq + place, id_of(seq + place), b"p") for place in range(tasks)]
    )


def test_dependents_are_read_as_they_were_written_also_after_a_restart(stores: Callable[[], Store]) -> None:
    store = stores()
    assert not store.dependencies.are_there
    first = row(10, culprit=id_of(1), needs=[IdRun(id_of(1), 3), IdRun(id_of(7), 1)])
    second = row(20, 5, each=1, at=NOW, delay=3, queues=b"q")
    store.begin()
    store.dependencies.add([first, second, row(30, open=0)])
    store.commit()
    assert store.dependencies.are_there
    assert [one._replace(needs=list(one.needs)) for one in store.dependencies.open()] == [first, second]
    assert store.dependencies.of(24) == second
    assert store.dependencies.of(25) is None
    store.begin()
    store.dependencies.advance([DependentProgress(0, 1, id_of(2), 2, 1, 20)])
    store.commit()
    found = store.dependencies.of(20)
    assert found is not None
    assert (found.left, found.missed, found.culprit, found.open, found.ripe) == (0, 1, id_of(2), 2, 1)


def test_the_states_of_a_run_are_those_of_its_rows_and_slices_in_order(store: Store, route: int) -> None:
    insert(
        store, array(route, 1, 5, StateNumber.READY), task(7, route), array(route, 8, 3, StateNumber.BLOCKED)
    )
    within(store, lambda: store.cancel_waiting([3], NOW))
    cancelled = int(StateNumber.CANCELLED)
    assert store.dependencies.states(IdRun(id_of(2), 8)) == [
        StateSpan(id_of(2), 1, route, READY),
        StateSpan(id_of(3), 1, route, cancelled),
        StateSpan(id_of(4), 2, route, READY),
        StateSpan(id_of(7), 1, route, READY),
        StateSpan(id_of(8), 2, route, BLOCKED),
    ]
    assert store.dependencies.states(IdRun(id_of(100), 5)) == []


def test_only_what_is_blocked_is_unblocked_or_falls(store: Store, route: int) -> None:
    insert(
        store, array(route, 1, 6, StateNumber.BLOCKED), task(7, route, StateNumber.BLOCKED), task(8, route)
    )
    assert within(store, lambda: store.unblock(2, 4, READY, None)) == [Unblocked(2, 4, route)]
    assert within(store, lambda: store.unblock(1, 9, int(StateNumber.SCHEDULED), NOW + 5)) == [
        Unblocked(1, 2, route),
        Unblocked(4, 7, route),
        Unblocked(7, 8, route),
    ]
    assert store.next_due() == NOW + 5
    assert within(store, lambda: store.fall(1, 9, b"why", NOW)) == []
    states = [found.state for found in store.find([id_of(seq) for seq in range(1, 9)])]
    assert states == [1, 0, 0, 1, 1, 1, 1, 0]


def test_tasks_that_fall_have_a_failure_and_are_counted_and_can_wait_again(store: Store, route: int) -> None:
    insert(store, array(route, 1, 4, StateNumber.BLOCKED))
    fallen = within(store, lambda: store.fall(2, 4, b"why", NOW))
    assert fallen == [Fallen(seq, seq + 1, id_of(seq), route, None) for seq in (2, 3)]
    assert [(one.state, one.body) for one in store.outcomes([id_of(2)])] == [(FAILED, b"why")]
    assert store.counts.read() == store.counts.recount()
    within(store, lambda: store.revive(3, blocked=True))
    assert [found.state for found in store.find([id_of(3)])] == [BLOCKED]
    assert store.counts.read() == store.counts.recount()
    assert store.load().counts.count((route, BLOCKED, 3)) == 1


def test_what_is_needed_is_spared_and_what_is_behind_it_goes(store: Store, route: int) -> None:
    for seq in range(1, 6):
        insert(store, task(seq, route))
        within(store, lambda seq=seq: store.cancel_waiting([seq], NOW + seq))  # type: ignore[misc]
    insert(store, array(route, 10, 3, StateNumber.READY))
    within(store, lambda: store.cancel_waiting([10, 11, 12], NOW))
    needed = {id_of(1), id_of(2), id_of(11)}
    store.keep(lambda run: not needed.isdisjoint(run.ids()))
    gone = within(store, lambda: store.purge(NOW + 100, 2))
    assert sum(one.tasks for one in gone) == 2  # type: ignore[attr-defined]
    within(store, lambda: store.purge_surplus(10, 0, 10))
    left = [id_of(seq) for seq in range(1, 20) if store.find([id_of(seq)])]
    assert left == [id_of(1), id_of(2), id_of(10), id_of(11), id_of(12)]


def test_very_many_that_are_needed_are_passed_over_in_portions_and_once_in_a_round(
    store: Store, route: int
) -> None:
    """Each look read all of them again, however many there were."""
    looked: list[int] = []
    needed = set(range(1, 1_501))
    for start in range(1, 1_601, 10):  # ten of one moment
        insert(store, *(task(seq, route) for seq in range(start, start + 10)))
        within(store, lambda start=start: store.cancel_waiting(range(start, start + 10), NOW + start))  # type: ignore[misc]

    def is_needed(run: IdRun) -> bool:
        looked.append(int.from_bytes(run.first, "big"))
        return int.from_bytes(run.first, "big") in needed

    store.keep(is_needed)
    later = NOW + 10_000
    for verb in (lambda: store.purge(later, 20), lambda: store.purge_surplus(20, 0, 20)):
        gone: list[Purged] = []
        for _ in range(4):
            assert gone == []
            looked.clear()
            gone = within(store, verb)  # type: ignore[assignment]
            assert len(looked) <= PASSED_MAX + 20 + 10
            assert store.looks_on == (gone == [])
        assert sum(one.tasks for one in gone) == 20
    # What is no longer needed goes in the next round, however far the one before has come.
    needed.discard(1)
    for _ in range(10):
        within(store, lambda: store.purge(later, 1_000))
    assert store.find([id_of(1)]) == []
    assert len(store.find([id_of(seq) for seq in range(1, 1_601)])) == len(needed)


def test_a_dependent_goes_with_the_last_of_its_tasks(store: Store, route: int) -> None:
    insert(store, array(route, 10, 4, StateNumber.BLOCKED), task(20, route, StateNumber.BLOCKED))
    store.begin()
    store.dependencies.add([row(10, 4, each=1), row(20)])
    store.commit()
    within(store, lambda: store.delete([10, 11, 13]))
    assert [one.seq for one in store.dependencies.open()] == [10, 20]
    within(store, lambda: store.delete([12]))
    assert [one.seq for one in store.dependencies.open()] == [20]
    within(store, lambda: store.delete([20]))
    assert store.dependencies.open() == []
    assert store.dependencies.of(20) is None


def test_the_array_of_a_needed_run_may_begin_anywhere(store: Store, route: int) -> None:
    first = id_behind(b"\x01" * 12 + bytes(4), 5)
    made = as_array(
        task(1, route, StateNumber.READY), [(1 + place, id_behind(first, place), b"p") for place in range(10)]
    )
    insert(store, made)
    asked = IdRun(id_behind(first, 4), 3)
    assert store.dependencies.states(asked) == [StateSpan(asked.first, 3, route, READY)]


def test_children_and_parents_are_found(store: Store) -> None:
    assert store.dependencies.children(IdRun(id_of(1), 9)) == []
    rows = [
        ParentRow(5, 8, id_of(5), id_of(1)),
        ParentRow(8, 9, id_of(8), id_of(2)),
        ParentRow(20, 21, id_of(20), id_of(1)),
    ]
    within(store, lambda: store.dependencies.add_parents(rows))
    assert store.dependencies.children(IdRun(id_of(1), 1)) == [IdRun(id_of(5), 3), IdRun(id_of(20), 1)]
    assert store.dependencies.children(IdRun(id_of(1), 2))[2:] == [IdRun(id_of(8), 1)]
    found = [store.dependencies.parent_of(seq) for seq in (4, 5, 7, 8, 9, 20, 21)]
    assert found == [None, id_of(1), id_of(1), id_of(2), None, id_of(1), None]


def test_a_row_is_kept_as_long_as_one_of_its_tasks(store: Store, route: int) -> None:
    new = [(seq, id_of(seq), b"p") for seq in (5, 6, 7)]
    insert(store, as_array(task(5, route), new), task(8, route))
    rows = [ParentRow(5, 8, id_of(5), id_of(1)), ParentRow(8, 9, id_of(8), id_of(1))]
    within(store, lambda: store.dependencies.add_parents(rows))
    within(store, lambda: store.delete([5, 8]))
    assert store.dependencies.children(IdRun(id_of(1), 1)) == [IdRun(id_of(5), 3)]
    within(store, lambda: store.delete([6, 7]))
    assert store.dependencies.children(IdRun(id_of(1), 1)) == []
