"""Transactions, what a master takes up when it starts, and looks that see what is not written yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.model import StateNumber
from tq.common.errors import StoreError
from tq.master.store.interface.lines import LineStore
from tq.master.store.interface.queries import QueryStore, TaskFilter
from tq.master.store.interface.retention import RetentionStore
from tq.master.store.interface.routes import RouteStore
from tq.master.store.interface.store import LOOKS, Store
from tq.master.store.interface.strikes import StrikeStore
from tq.master.store.interface.tasks import TaskStore, Want

from .tasks import LEASE, NOW, QUEUE, ended, id_of, insert, task, window, within


def test_what_was_committed_is_there_and_what_was_rolled_back_is_not(store: Store, route: int) -> None:
    insert(store, task(1, route))
    store.begin()
    store.insert([task(2, route)])
    store.rollback()
    assert [one.seq for one in store.find([b"%016d" % 0, *(seq.to_bytes(16, "big") for seq in (1, 2))])] == [
        1
    ]


def test_changed_says_whether_a_commit_has_to_be_synced(store: Store, route: int) -> None:
    store.begin()
    store.find([new_ids()])
    assert not store.changed
    store.insert([task(1, route)])
    assert store.changed
    store.commit()


def test_the_picture_counts_every_task_once(store: Store, route: int) -> None:
    insert(
        store,
        task(1, route),
        task(2, route, StateNumber.SCHEDULED, due=NOW),
        task(3, route, StateNumber.RUNNING),
        task(4, route, StateNumber.RUNNING),
    )
    within(store, lambda: store.end_attempts([ended(4, StateNumber.FAILED)]))
    picture = store.load()
    assert sorted(picture.counts) == [
        (route, StateNumber.READY, 1),
        (route, StateNumber.SCHEDULED, 1),
        (route, StateNumber.FAILED, 1),
    ]
    assert [(row.seq, row.attempt, row.lease) for row in picture.running] == [(3, 1, LEASE)]
    assert (picture.last_seq, picture.routes) == (4, [(route, "q", "m:f", b"")])


def test_notes_of_the_master_are_kept_and_the_last_one_counts(store: Store) -> None:
    within(store, lambda: store.set_meta("x", b"1"))
    within(store, lambda: store.set_meta("x", b"2"))
    assert (store.get_meta("x"), store.get_meta("y")) == (b"2", None)


LOOKING: Final[dict[str, Callable[[Store], object]]] = {
    "find": lambda store: store.find([id_of(1)]),
    "outcomes": lambda store: store.outcomes([id_of(1)]),
    "full": lambda store: store.full(id_of(1)),
    "listing": lambda store: store.listing(TaskFilter(), 9),
    "parts_before": lambda store: next(store.parts_before(9), None),
    "parts_down": lambda store: next(store.parts_down(9), None),
    "parts_up": lambda store: next(store.parts_up(9), None),
    "between_arrays": lambda store: store.between_arrays(9),
    "bounds_of_flow": lambda store: store.bounds_of_flow(1),
    "spans_before": lambda store: next(store.spans_before(9), None),
    "totals": lambda store: store.totals(1, 9),
    "newest_failed": lambda store: next(store.newest_failed(1, 9), None),
    "count_ahead": lambda store: store.count_ahead(1, 0, 9, 9),
    "oldest_ready": lambda store: store.oldest_ready(1),
    "ready_in": lambda store: store.ready_in(1, 9),
    "unfinished_sizes": lambda store: next(store.unfinished_sizes([1]), None),
    "first_ready": lambda store: store.first_ready(1),
    "lease": lambda store: store.lease([1], 1, None, LEASE, 1, NOW),
    "lease_each": lambda store: store.lease_each([1], [Want(1, LEASE, 1)], NOW),
    "lease_these": lambda store: store.lease_these([IdRun(id_of(1), 1)], Want(1, LEASE, 1), 9, NOW),
    "next_due": lambda store: store.next_due(),
    "next_at": lambda store: store.next_at(),
    "next_expiry": lambda store: store.next_expiry(),
    "promote": lambda store: store.promote(NOW, 9),
    "promote_at": lambda store: store.promote_at(NOW, 9),
    "expire": lambda store: store.expire(NOW, 9),
    "purge": lambda store: store.purge(NOW, 9),
    "purge_surplus": lambda store: store.purge_surplus(9, 0, 9),
    "order_queue": lambda store: store.order_queue(QUEUE, lifo=True, aging=0),
    "put_queue": lambda store: store.put_queue(QUEUE, True, "", NOW),
    "ready_after": lambda store: store.ready_after(1, None, 9, in_arrays=False),
    "ready_over": lambda store: store.ready_over([(1, 9)]),
}
# Verbs that write, and verbs that are given what only a written task, worker or attempt has.
OTHERS: Final = {
    *(
        "insert",
        "succeed",
        "end_attempts",
        "return_unstarted",
        "request_cancel",
        "cancel_waiting",
        "revive",
        "wake",
        "delete",
    ),
    *("payload", "facts", "attempts", "attempts_before", "outcome_of_lease", "created", "brief"),
    *("add_route", "bound_queue", "drop_lane", "add_origin", "orphan_origins"),
    *("strike_rows", "add_strike", "change_strike", "drop_strike", "change_lanes"),
}


def test_every_verb_of_tasks_looks_or_is_said_not_to() -> None:
    verbs = {
        name
        for part in (TaskStore, RetentionStore, QueryStore, LineStore, RouteStore, StrikeStore)
        for name in vars(part)
        if name[0] != "_"
    }
    assert set(LOOKING) == LOOKS
    assert verbs == LOOKS | OTHERS
    assert not LOOKS & OTHERS


@pytest.mark.parametrize("verb", LOOKING)
def test_a_look_comes_after_what_was_accepted_before_it(store: Store, route: int, verb: str) -> None:
    said: list[str] = []
    store.before_looks(lambda: said.append("written"))
    store.begin()
    LOOKING[verb](store)
    assert said == ["written"]


def test_a_look_finds_what_was_not_written_yet(store: Store, route: int) -> None:
    fresh = [task(1, route), task(2, route)]

    def write() -> None:
        while fresh:
            assert store.find([id_of(9)]) == [], "what writes may look, and is not asked to write again"
            assert store.insert([fresh.pop(0)])

    store.before_looks(write)
    store.begin()
    assert [one.seq for one in store.find(map(id_of, (1, 2)))] == [1, 2]
    assert [one.seq for one in window(store, 9, 9)] == [2, 1]


def test_a_write_that_fails_is_asked_for_again_by_the_next_look(store: Store, route: int) -> None:
    tries: list[int] = []

    def write() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise StoreError("the disk is full")

    store.before_looks(write)
    store.begin()
    with pytest.raises(StoreError, match="full"):
        store.find([id_of(1)])
    assert store.find([id_of(1)]) == []
    store.settle()
    assert len(tries) == 3
