"""States and outcomes of needed tasks, in this shard and in others: what is not there has ended here, and has not ended there."""

from __future__ import annotations

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import id_behind
from tq.common.domain.model import StateNumber
from tq.common.domain.shards import Shard, id_in
from tq.master.dependencies.dependent import UNKNOWN, Culprit
from tq.master.dependencies.needed_tasks import WAITS, NeededTasks
from tq.master.store.interface.edges import MirrorRow
from tq.master.store.sqlite.store import SqliteStore
from tq.master.tasks.routes import Routes

from ..new_store import NewStore

HERE, THERE = (id_in(bytes(15) + b"\x40", shard) for shard in (1, 2))
ALL, SOME = b"", b"\x91\xa4shop"
SUCCEEDED, FAILED = int(StateNumber.SUCCEEDED), int(StateNumber.FAILED)


@pytest.fixture
def store() -> SqliteStore:
    return NewStore()


@pytest.fixture
def tasks(store: SqliteStore) -> NeededTasks:
    store.begin()
    ends = [(1, SUCCEEDED, "", b"one"), (2, SUCCEEDED, "", b"two"), (5, FAILED, "m:f", b"why")]
    store.edges.mirror([MirrorRow(ALL, id_behind(THERE, at), *end) for at, *end in ends])
    store.edges.mirror([MirrorRow(SOME, THERE, UNKNOWN, "", None)])
    store.commit()
    return NeededTasks(store, Routes(store, lambda name: None), Shard(1, 4))


def test_what_has_not_ended_elsewhere_is_waited_for_and_what_is_not_here_is_gone(tasks: NeededTasks) -> None:
    elsewhere = [(span.length, span.state) for span in tasks.states(IdRun(THERE, 8), ALL)]
    assert elsewhere == [(1, WAITS), (2, SUCCEEDED), (2, WAITS), (1, FAILED), (2, WAITS)]
    assert [(span.length, span.state) for span in tasks.states(IdRun(HERE, 8), ALL)] == [(8, UNKNOWN)]


def test_each_kind_of_rights_has_its_own_states(tasks: NeededTasks) -> None:
    assert [(span.length, span.state) for span in tasks.states(IdRun(THERE, 3), SOME)] == [
        (1, UNKNOWN),
        (2, WAITS),
    ]


def test_outcomes_stand_in_the_order_that_is_asked_for(tasks: NeededTasks) -> None:
    ids = [id_behind(THERE, 2), HERE, id_behind(THERE, 1), id_behind(THERE, 7)]
    assert tasks.outcomes(ids, ALL) == [
        (ids[0], SUCCEEDED, b"two"),
        (HERE, UNKNOWN, None),
        (ids[2], SUCCEEDED, b"one"),
        (ids[3], UNKNOWN, None),
    ]


def test_a_culprit_elsewhere_is_named_by_what_it_calls(tasks: NeededTasks) -> None:
    failed = id_behind(THERE, 5)
    assert tasks.culprit(failed, ALL) == Culprit(failed, "m:f", FAILED, b"why")
    assert tasks.culprit(THERE, SOME) == Culprit(THERE, "", UNKNOWN, None)
    assert tasks.culprit(HERE, ALL) == Culprit(HERE, "", UNKNOWN, None)


def test_in_a_cluster_of_one_shard_nothing_is_elsewhere(store: SqliteStore) -> None:
    alone = NeededTasks(store, Routes(store, lambda name: None), Shard(0, 1))
    assert not alone.is_elsewhere(THERE)
    assert [span.state for span in alone.states(IdRun(THERE, 2), None)] == [UNKNOWN]
