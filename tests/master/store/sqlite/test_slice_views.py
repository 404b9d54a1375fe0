"""What the queries of tasks see of a slice is compared with rows in ``test_slices``; here is what they leave unread."""

from __future__ import annotations

from tq.common.domain.model import StateNumber
from tq.master.store.interface.queries import TaskFilter
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.sqlite.store import SqliteStore

from ..tasks import LEASE, NOW, as_array, ended, id_of, task


def test_a_listing_of_failed_tasks_opens_no_array() -> None:
    store = SqliteStore(None, "memory")
    store.begin()
    route = store.add_route("q", "m:f")
    tasks = [(seq, id_of(seq), b"") for seq in range(1, 1_001)]
    assert store.insert([as_array(task(1, route), tasks)])
    read: list[str] = []
    store._db.set_trace_callback(read.append)
    assert store.listing(TaskFilter(states=(int(StateNumber.FAILED),)), 100) == []
    assert not [sql for sql in read if "FROM arrays" in sql]
    assert len(store.listing(TaskFilter(states=(int(StateNumber.READY),)), 100)) == 100
    store._db.set_trace_callback(None)
    store.rollback()
    store.close()


def test_tasks_with_consecutive_ids_are_found_together_whatever_happened_to_them() -> None:
    store = SqliteStore(None, "memory")
    store.begin()
    route = store.add_route("q", "m:f")
    assert store.insert([as_array(task(1, route), [(seq, id_of(seq), b"") for seq in range(1, 1_001)])])
    store.insert([task(1_001, route, id=id_of(1_001))])
    assert store.lease([route], 600, None, LEASE, 1, NOW)
    results: list[bytes | None] = [b"%d" % seq for seq in range(1, 401)]
    store.succeed_slices([SucceededSlice(1, 401, 1, LEASE, NOW, [0.0] * 400, results)])
    store.end_attempts([ended(500, StateNumber.FAILED, body=b"why")])
    store.delete([700])
    asked = [id_of(seq) for seq in (*range(300, 1_003), 250)]
    store.settle()
    read: list[str] = []
    store._db.set_trace_callback(read.append)
    found, outcomes = store.find(asked), store.outcomes(asked)
    assert len(read) < 60
    seqs = [seq for seq in (*range(300, 1_002), 250) if seq != 700]
    assert [one.seq for one in found] == seqs
    assert [one.id for one in found] == [one.id for one in outcomes] == [id_of(seq) for seq in seqs]
    assert [one.state for one in found] == [one.state for one in outcomes]
    assert {one.id: one.body for one in outcomes}[id_of(399)] == b"399"
    assert [(one.state, one.body) for one in outcomes if one.id == id_of(500)] == [
        (StateNumber.FAILED, b"why")
    ]
