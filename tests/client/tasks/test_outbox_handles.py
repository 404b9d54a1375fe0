"""A handle of a row of an outbox waits until the master knows its task."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

import pytest
import tq
from tq.client.outbox.table import sqlite_ddl
from tq.common.contract.outbox import row_from_bytes, submit_from_wire

from ..conftest import MasterInMemory


@pytest.fixture
def db() -> Any:
    db = sqlite3.connect(":memory:", check_same_thread=False)
    db.executescript(sqlite_ddl())
    yield db
    db.close()


@pytest.fixture
def double(app: tq.App, master: MasterInMemory) -> Any:
    master.refusals["why"] = tq.UnknownTask("not there yet")
    master.functions["jobs:double"] = lambda x: 2 * x
    return app.named("jobs:double")


def hand_over(db: sqlite3.Connection, app: tq.App) -> None:
    """As a relay does, after the commit."""
    for (body,) in db.execute("SELECT body FROM tq_outbox ORDER BY position").fetchall():
        said = submit_from_wire(row_from_bytes(body))
        app.session.ask(("get_task_queue", said.queue), "submit", said.task, said.options, said.tasks, None)


def test_a_result_is_waited_for_until_the_task_is_handed_over(
    db: Any, app: tq.App, double: Any, master: MasterInMemory
) -> None:
    handle = double.using(outbox=db).submit(21)
    timer = threading.Timer(0.2, hand_over, (db, app))
    timer.start()
    assert handle.result(timeout=30) == 42
    timer.join()
    watched = [args for _, method, args in master.calls if method == "watch"]
    assert len(watched) > 1, "it was asked for before it was there"


def test_results_of_a_map_are_waited_for_in_each_way(db: Any, app: tq.App, double: Any) -> None:
    handles = double.using(outbox=db).map(range(5))
    single = double.using(outbox=db).submit(5)
    timer = threading.Timer(0.1, hand_over, (db, app))
    timer.start()
    assert sorted(one.result() for one in tq.as_completed([*handles, single], timeout=30)) == [
        0,
        2,
        4,
        6,
        8,
        10,
    ]
    timer.join()
    assert list(handles.results(timeout=30)) == [0, 2, 4, 6, 8]
    assert handles[2].result(timeout=30) == 4
    assert handles.wait(timeout=30)
    assert {one.result() for one in handles.as_completed(timeout=30)} == {0, 2, 4, 6, 8}


def test_a_wait_for_what_was_rolled_back_ends_with_its_timeout(db: Any, double: Any) -> None:
    handle = double.using(outbox=db).submit(1)
    db.rollback()
    with pytest.raises(TimeoutError):
        handle.result(timeout=0.3)
