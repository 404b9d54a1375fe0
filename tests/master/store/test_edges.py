"""Needs between shards, in every kind of store."""

from __future__ import annotations

from collections.abc import Callable

from tq.common.domain.id_runs import IdRun
from tq.master.store.interface.edges import (
    EdgeRow,
    ElsewhereRow,
    MirrorRow,
    MirrorSpan,
    PromiseRow,
    before_epoch,
)
from tq.master.store.interface.store import Store

from .tasks import id_of, within

ALL, SOME = b"", b"\x91\xa4shop"


def test_rows_for_another_shard_are_kept_in_their_order_until_it_has_them(
    stores: Callable[[], Store],
) -> None:
    store = stores()
    rows = [EdgeRow(number, number % 3, bytes([number])) for number in range(1, 6)]
    within(store, lambda: store.edges.add_outgoing(2, rows))
    within(store, lambda: store.edges.add_outgoing(7, rows[:1]))
    within(store, lambda: store.edges.set_made(2, 5))
    assert store.edges.outgoing(2, 1, 3) == rows[1:4]
    within(store, lambda: store.edges.forget_outgoing(2, 3))
    within(store, lambda: store.edges.add_outgoing(2, [EdgeRow(before_epoch(3) + 1, 1, b"")]))
    epoch = before_epoch(3) + 1
    assert store.edges.spans_outgoing() == [(2, 4, 5), (2, epoch, epoch), (7, 1, 1)]
    within(store, lambda: store.edges.forget_outgoing(2, epoch))
    assert (store.edges.spans_outgoing(), store.edges.made()) == ([(7, 1, 1)], {2: 5})
    within(store, lambda: store.edges.set_made(2, before_epoch(1)))
    assert store.edges.made() == {2: before_epoch(1)}


def test_what_was_applied_is_known_by_shard(store: Store) -> None:
    assert store.edges.applied() == {}
    for of_shard, number in ((0, 3), (4, before_epoch(2) + 1), (0, 5)):
        within(store, lambda of_shard=of_shard, number=number: store.edges.set_applied(of_shard, number))  # type: ignore[misc]
    assert store.edges.applied() == {0: 5, 4: before_epoch(2) + 1}


def test_what_is_needed_elsewhere_is_there_once_for_each_kind_of_rights(store: Store) -> None:
    one, same, another = (
        ElsewhereRow(ALL, IdRun(id_of(5), 3)),
        ElsewhereRow(SOME, IdRun(id_of(5), 3)),
        ElsewhereRow(ALL, IdRun(id_of(5), 1)),
    )
    within(store, lambda: store.edges.add_needs([one, same, another]))
    within(store, lambda: store.edges.add_needs([one]))
    assert set(store.edges.needs()) == {one, same, another}
    within(store, lambda: store.edges.forget_needs([one, one]))
    assert set(store.edges.needs()) == {same, another}


def test_the_mirror_has_each_task_once_for_each_kind_of_rights(store: Store) -> None:
    rows = [MirrorRow(ALL, id_of(seq), 10 if seq < 4 else 11, "m:f", b"r%d" % seq) for seq in (1, 2, 3, 4, 7)]
    hidden = MirrorRow(SOME, id_of(2), -1, "", None)
    within(store, lambda: store.edges.mirror([*rows, hidden]))
    run = IdRun(id_of(2), 6)
    assert store.edges.mirrored(ALL, run) == rows[1:]
    assert store.edges.mirrored(SOME, run) == [hidden]
    spans = [MirrorSpan(id_of(2), 2, 10), MirrorSpan(id_of(4), 1, 11), MirrorSpan(id_of(7), 1, 11)]
    assert store.edges.mirrored_states(ALL, run) == spans
    changed = rows[3]._replace(state=10, body=None)
    runs_again = changed._replace(again=1)
    for one in (runs_again, changed):
        within(store, lambda one=one: store.edges.mirror([one]))  # type: ignore[misc]
        assert store.edges.mirrored(ALL, IdRun(id_of(4), 1)) == [one]
        assert bool(store.edges.mirrored_states(ALL, IdRun(id_of(4), 1))) is not bool(one.again)
    assert within(store, lambda: store.edges.forget_mirrored(ALL, run, 3)) == 3
    assert within(store, lambda: store.edges.forget_mirrored(ALL, run, 3)) == 1
    assert within(store, lambda: store.edges.forget_mirrored(ALL, run, 3)) == 0
    assert store.edges.mirrored(ALL, IdRun(id_of(1), 9)) == rows[:1]
    assert store.edges.mirrored(SOME, run) == [hidden]


def test_a_promise_is_there_once_for_each_shard_and_kind_of_rights(store: Store) -> None:
    run = IdRun(id_of(5), 3)
    rows = [PromiseRow(1, ALL, run, 0), PromiseRow(1, SOME, run, 2), PromiseRow(3, ALL, run, -1)]
    within(store, lambda: store.edges.promise(rows))
    within(store, lambda: store.edges.promise([rows[0]._replace(answered=3)]))
    assert set(store.edges.promises()) == {rows[0]._replace(answered=3), *rows[1:]}
    within(store, lambda: store.edges.forget_promises([rows[0], rows[2]]))
    assert store.edges.promises() == [rows[1]]
