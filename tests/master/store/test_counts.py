"""The counts that a store keeps are those of its tasks, after every verb and whatever was rolled back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.counts import Count
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.interface.store import Store
from tq.master.store.interface.tasks import Returned, Want

from .tasks import LEASE, NOW, as_array, ended, id_of, insert, task, within

READY, RUNNING, SUCCEEDED, FAILED = (
    int(state)
    for state in (StateNumber.READY, StateNumber.RUNNING, StateNumber.SUCCEEDED, StateNumber.FAILED)
)
SCHEDULED, CANCELLED, EXPIRED = (
    int(state) for state in (StateNumber.SCHEDULED, StateNumber.CANCELLED, StateNumber.EXPIRED)
)
PAYLOAD: Final = b"payload"  # of each single
ARRAY: Final = 10  # tasks 101 to 110


@pytest.fixture
def filled(store: Store, route: int) -> Store:
    """Nine tasks with rows, of which three are leased, and an array of ten, of which five are."""
    insert(store, *(task(seq, route) for seq in (1, 2, 3)))
    insert(store, *(task(seq, route, StateNumber.RUNNING) for seq in (4, 5, 6)))
    insert(store, *(task(seq, route, StateNumber.SCHEDULED, due=NOW, expires=NOW + 5) for seq in (7, 8, 9)))
    tasks = [(seq, id_of(seq), b"12345") for seq in range(101, 111)]
    insert(store, as_array(task(101, route, expires=NOW + 5, priority=9), tasks))
    within(store, lambda: store.lease([route], 5, None, LEASE, 1, NOW))
    return store


def succeed(store: Store, start: int, stop: int) -> None:
    tasks = stop - start
    store.succeed_slices([SucceededSlice(start, stop, 1, LEASE, NOW, [0.0] * tasks, [b"result"] * tasks)])


def in_parts(store: Store) -> None:
    succeed(store, 102, 104)
    store.delete([103])


def all_forgotten(store: Store) -> None:
    succeed(store, 101, 106)
    store.cancel_waiting([1, 2, 3, 7, 8, 9, *range(106, 111)], NOW)
    store.end_attempts([ended(seq, StateNumber.FAILED) for seq in (4, 5, 6)])
    store.purge(NOW + 9, 10_000)
    assert store.counts.kept_bytes == 0
    assert store.counts.read() == []


VERBS: Final[dict[str, Callable[[Store], object]]] = {
    "nothing": lambda store: None,
    "lease": lambda store: store.lease([1], 9, None, b"M" * 16, 1, NOW),
    "lease measured": lambda store: store.lease([1], 9, 20, b"M" * 16, 1, NOW),
    "lease to several": lambda store: store.lease_each(
        [1], [Want(2, b"M" * 16, 1), Want(3, b"N" * 16, 2)], NOW
    ),
    "succeed": lambda store: store.succeed(
        [(b"result", NOW, NOW, 4, 1, LEASE), (None, NOW, NOW, 5, 1, LEASE)]
    ),
    "succeed a slice": lambda store: succeed(store, 101, 106),
    "succeed a part": lambda store: succeed(store, 102, 104),
    "succeed and delete a part": in_parts,
    "end": lambda store: store.end_attempts(
        [ended(4, StateNumber.FAILED), ended(5, StateNumber.READY), ended(102, StateNumber.FAILED)]
    ),
    "return": lambda store: store.return_unstarted(
        [Returned(READY, None, seq, 1, LEASE) for seq in (4, 101, 102)]
        + [Returned(CANCELLED, NOW, 104, 1, LEASE)]
    ),
    "request a cancel": lambda store: store.request_cancel(103),
    "cancel": lambda store: store.cancel_waiting([1, 7, 106, 107, 109], NOW),
    "promote": lambda store: store.promote(NOW, 9),
    "expire": lambda store: store.expire(NOW + 5, 99),
    "delete": lambda store: store.delete([2, 108, 110]),
    "all": all_forgotten,
}


def check(store: Store) -> None:
    kept: Sequence[Count] = store.counts.read()
    assert sorted(kept) == sorted(store.counts.recount())
    assert store.counts.kept_bytes == sum(row.bytes for row in kept)


@pytest.mark.parametrize("name", VERBS)
def test_the_counts_are_those_of_the_tasks(filled: Store, name: str) -> None:
    filled.begin()
    VERBS[name](filled)
    check(filled)
    filled.commit()
    check(filled)


@pytest.mark.parametrize("name", VERBS)
def test_what_is_rolled_back_was_not_counted(filled: Store, name: str) -> None:
    before = filled.counts.read(), filled.counts.kept_bytes
    filled.begin()
    VERBS[name](filled)
    filled.rollback()
    assert (filled.counts.read(), filled.counts.kept_bytes) == before
    check(filled)


def test_a_task_that_is_made_ready_again_no_longer_counts_as_ended(filled: Store) -> None:
    within(filled, lambda: filled.cancel_waiting([1, 106], NOW))
    kept = filled.counts.kept_bytes
    assert kept >= len(PAYLOAD) + 5
    within(filled, lambda: [filled.revive(seq) for seq in (1, 106)])
    check(filled)
    assert filled.counts.kept_bytes == 0


def test_kept_bytes_are_those_of_arguments_and_results(store: Store, route: int) -> None:
    insert(store, *(task(seq, route, StateNumber.RUNNING, payload=bytes(1_000)) for seq in (1, 2)))
    within(store, lambda: store.succeed([(bytes(500), NOW, NOW, 1, 1, LEASE)]))
    assert store.counts.kept_bytes == 1_500


def test_a_submit_that_is_refused_is_not_counted(filled: Store, route: int) -> None:
    filled.begin()
    assert not filled.insert([task(20, route), task(21, route, id=id_of(1))])
    check(filled)
    filled.rollback()
