"""What the queries of tasks see of a slice is compared with rows in ``test_slices``; here is what they leave unread."""

from __future__ import annotations

from tq.common.domain.model import StateNumber
from tq.master.store.interface.queries import TaskFilter
from tq.master.store.sqlite.store import SqliteStore

from ..tasks import as_array, id_of, task


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
