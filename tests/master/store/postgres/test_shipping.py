"""What it costs the database to find the rows that a transaction has changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.tasks import NewTasks
from tq.master.store.postgres import shipping
from tq.master.store.postgres.bounds import Sync, begin
from tq.master.store.postgres.line import Statement
from tq.master.store.postgres.shipping import statements

from ..differences import differences

ROWS = 500
READ = re.compile(rb"rows=(\d+)")


def test_what_does_not_fit_one_statement_is_shipped_in_several(
    open_store: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a migration that changes all rows: a message of a gibibyte is refused by the database."""
    monkeypatch.setattr(shipping, "ROWS_MAX", 40)
    monkeypatch.setattr(shipping, "VALUES_BYTES_MAX", 10_000)
    store = open_store()
    fill(store, payload=bytes(1_000))
    store.begin()
    store._run("UPDATE tasks SET payload = CAST(payload || x'01' AS BLOB) WHERE seq % 2 = 0")
    store._run("DELETE FROM tasks WHERE seq % 3 = 0")
    asked = statements(store.committer.held.shard, store._capture.read())
    assert len(asked) > ROWS / 2 / 10
    assert max(sum(len(value or b"") for value in one.values) for one in asked) < 11_000
    store.commit()
    assert differences(store) == []


def test_a_row_that_is_larger_than_a_statement_of_several_is_shipped_by_itself(
    open_store: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "VALUES_BYTES_MAX", 10_000)
    store = open_store()
    fill(store, payload=bytes(20_000), rows=3)
    assert differences(store) == []


@pytest.fixture
def filled(open_store: Callable[..., Any]) -> Any:
    """Its tables were never analyzed: PostgreSQL knows nothing of what is in them."""
    store = open_store()
    line = store.committer.line.connection
    line.execute("ALTER TABLE tq.tasks SET (autovacuum_enabled = off)")
    line.execute("DELETE FROM pg_statistic WHERE starelid = 'tq.tasks'::regclass")
    fill(store)
    return store


def fill(store: Any, payload: bytes = b"payload", rows: int = ROWS) -> None:
    store.begin()
    route = store.add_route("q", "m:f")
    tasks = [(number, number.to_bytes(16, "big"), payload) for number in range(1, rows + 1)]
    store.insert([NewTasks(route=route, state=int(StateNumber.READY), created=1, tasks=tasks)])
    store.commit()


def rows_read(store: Any) -> int:
    """Rows of tasks that the statements of the open transaction read in the database, which does not do them."""
    asked = statements(store.committer.held.shard, store._capture.read())
    of_tasks = [one for one in asked if b'tq."tasks"' in one.text]
    assert of_tasks, "something has changed"
    explained = [
        one._replace(text=b"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) " + one.text) for one in of_tasks
    ]
    results = store.committer.line.run(
        [*begin(10, Sync.ON, planned=True), *explained, Statement(b"ROLLBACK")], 20
    )
    store.rollback()
    lines = [result.get_value(row, 0) or b"" for result in results[2:-1] for row in range(result.ntuples)]
    scans = [line for line in lines if b"on tasks" in line and b"actual" in line and b"Scan" in line]
    assert scans, lines
    assert not [line for line in lines if b"Seq Scan" in line]
    return max(int(READ.findall(line.partition(b"actual")[2])[0]) for line in scans)


def test_a_row_that_has_changed_is_found_without_reading_the_others(filled: Any) -> None:
    filled.begin()
    filled._run("UPDATE tasks SET priority = 1 WHERE seq = 7")
    assert rows_read(filled) == 1


def test_a_row_that_is_gone_is_found_without_reading_the_others(filled: Any) -> None:
    filled.begin()
    filled._run("DELETE FROM tasks WHERE seq = 7")
    assert rows_read(filled) == 1


def test_many_rows_that_have_changed_are_each_found_by_its_key(filled: Any) -> None:
    filled.begin()
    filled._run("UPDATE tasks SET priority = 1 WHERE seq % 5 = 0")
    assert rows_read(filled) == 1, "for each of them"
