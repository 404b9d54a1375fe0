"""What deletes, expires and cancels costs: it is counted in statements and in bytes that are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.sqlite.store import SqliteStore

from ..tasks import LEASE, NOW, as_array, id_of, task

TASKS = 1_000
RESULT = bytes(100)


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    """Within a transaction, with an array of ready tasks that expire at once."""
    store = SqliteStore(None, "memory")
    store.begin()
    route = store.add_route("q", "m:f")
    tasks = [(seq, id_of(seq), b"arguments") for seq in range(1, TASKS + 1)]
    assert store.insert([as_array(task(1, route, expires=NOW), tasks)])
    yield store
    store.rollback()
    store.close()


def statements(store: SqliteStore, act: Callable[[], object]) -> list[str]:
    """The statements that change something."""
    run: list[str] = []
    store._db.set_trace_callback(run.append)
    act()
    store._db.set_trace_callback(None)
    return [sql for sql in run if not sql.startswith(("SELECT", "--"))]


def rows(store: SqliteStore, table: str) -> int:
    return int(store._db.execute("SELECT count(*) FROM " + table).fetchone()[0])  # noqa: S608  one of ours


def succeed(store: SqliteStore) -> None:
    store.lease([1], TASKS, None, LEASE, 1, NOW)
    done = SucceededSlice(1, TASKS + 1, 1, LEASE, NOW, [0.0] * TASKS, [RESULT] * TASKS)
    store.succeed_slices([done])


def test_an_array_expires_without_a_row_for_each_task(store: SqliteStore) -> None:
    assert len(statements(store, lambda: store.expire(NOW, 10_000))) == 1
    assert (rows(store, "tasks"), rows(store, "slices")) == (0, 1)


def test_a_waiting_array_is_cancelled_without_a_row_for_each_task(store: SqliteStore) -> None:
    assert len(statements(store, lambda: store.cancel_waiting(range(1, TASKS + 1), NOW))) <= 3
    assert (rows(store, "tasks"), rows(store, "slices")) == (0, 1)


def test_a_part_of_an_array_that_is_cancelled_is_a_slice_of_its_own(store: SqliteStore) -> None:
    store.cancel_waiting([*range(100, 200), 300], NOW)
    assert (rows(store, "tasks"), rows(store, "slices")) == (0, 5)


def test_a_finished_array_is_purged_by_a_few_statements(store: SqliteStore) -> None:
    succeed(store)
    assert len(statements(store, lambda: store.purge(NOW, 10))) < 10
    assert [rows(store, table) for table in ("tasks", "slices", "arrays")] == [0, 0, 0]


def test_slices_that_ended_one_by_one_are_purged_as_a_set(store: SqliteStore) -> None:
    store.lease([1], TASKS, None, LEASE, 1, NOW)
    order = [seq * 7 % TASKS + 1 for seq in range(TASKS)]  # no two neighbours one after the other
    for seq in order[:200]:
        store.succeed_slices([SucceededSlice(seq, seq + 1, 1, LEASE, NOW, [0.0], [RESULT])])
    before = rows(store, "slices")
    kept = store.counts.kept_bytes
    assert len(statements(store, lambda: store.purge(NOW, 100))) < 10, "of a hundred slices"
    assert rows(store, "slices") == before - 100
    assert 0 < store.counts.kept_bytes < kept
    store.purge(NOW, 100)
    assert (rows(store, "slices"), store.counts.kept_bytes) == (before - 200, 0)


def test_results_that_are_deleted_one_by_one_are_written_once_in_a_call(store: SqliteStore) -> None:
    succeed(store)
    written: list[int] = []

    def note(sql: str) -> None:
        written.append(len(sql))  # results stand in it in hexadecimal

    store._db.set_trace_callback(note)
    store.delete(range(1, TASKS + 1, 2))
    store._db.set_trace_callback(None)
    assert sum(written) < 5 * TASKS * len(RESULT) + 2_000 * TASKS


def test_a_surplus_that_comes_one_by_one_writes_no_more_than_twice_what_there_was(store: SqliteStore) -> None:
    succeed(store)
    written: list[int] = []
    store._db.set_trace_callback(
        lambda sql: written.append(len(sql)) if "UPDATE" in sql or "INSERT" in sql else None
    )
    kept = TASKS
    for most in range(TASKS - 1, -1, -1):
        kept -= sum(row.tasks for row in store.purge_surplus(kept - most, 0, 10_000))
        assert kept <= 2 * most + 1
    store._db.set_trace_callback(None)
    assert kept == 0
    assert sum(written) < 2 * (2 * TASKS * (len(RESULT) + 10))
