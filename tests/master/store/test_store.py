"""Transactions, and what a master takes up when it starts."""

from __future__ import annotations

from tq.common.domain.ids import new_ids
from tq.common.domain.model import StateNumber
from tq.master.store.interface.store import Store

from .tasks import LEASE, NOW, ended, insert, task, within


def test_what_was_committed_is_there_and_what_was_rolled_back_is_not(store: Store, lane: int) -> None:
    insert(store, task(1, lane))
    store.begin()
    store.insert([task(2, lane)])
    store.rollback()
    assert [one.seq for one in store.find([b"%016d" % 0, *(seq.to_bytes(16, "big") for seq in (1, 2))])] == [
        1
    ]


def test_changed_tells_whether_a_commit_has_to_be_synced(store: Store, lane: int) -> None:
    store.begin()
    store.find([new_ids()])
    assert not store.changed
    store.insert([task(1, lane)])
    assert store.changed
    store.commit()


def test_the_picture_counts_every_task_once(store: Store, lane: int) -> None:
    insert(
        store,
        task(1, lane),
        task(2, lane, StateNumber.SCHEDULED, due=NOW),
        task(3, lane, StateNumber.RUNNING),
        task(4, lane, StateNumber.RUNNING),
    )
    within(store, lambda: store.end_attempts([ended(4, StateNumber.FAILED)]))
    picture = store.load()
    assert sorted(picture.counts) == [
        (lane, StateNumber.READY, 1),
        (lane, StateNumber.SCHEDULED, 1),
        (lane, StateNumber.FAILED, 1),
    ]
    assert [(row.seq, row.attempt, row.lease) for row in picture.running] == [(3, 1, LEASE)]
    assert (picture.last_seq, picture.lanes) == (4, [(lane, "q", "m:f")])


def test_notes_of_the_master_are_kept_and_the_last_one_counts(store: Store) -> None:
    within(store, lambda: store.set_meta("x", b"1"))
    within(store, lambda: store.set_meta("x", b"2"))
    assert (store.get_meta("x"), store.get_meta("y")) == (b"2", None)
