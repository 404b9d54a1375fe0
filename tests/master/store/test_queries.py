"""What operators ask of a store: right, and without a walk through everything there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tq.common.domain.model import StateNumber
from tq.master.store.interface.tasks import NewTasks
from tq.master.store.sqlite.store import SqliteStore

NOW = 1_700_000_000_000


@pytest.fixture
def store() -> Iterator[SqliteStore]:
    store = SqliteStore(None, "memory")
    store.begin()
    store.add_lane("q", "m:f")
    store.add_lane("q", "m:g")
    yield store
    store.close()


def insert(
    store: SqliteStore, *seqs: int, lane: int = 1, priority: int = 0, state: int = StateNumber.READY
) -> None:
    tasks = [(seq, seq.to_bytes(16, "big"), b"payload") for seq in seqs]
    group = NewTasks(lane=lane, state=int(state), created=NOW + seqs[0], tasks=tasks, priority=priority)
    assert store.insert([group])


def test_those_ahead_are_of_a_higher_priority_or_came_before(store: SqliteStore) -> None:
    insert(store, 1, 2, 3)
    insert(store, 4, 5, priority=7)
    insert(store, 6, priority=-1)
    insert(store, 7, lane=2, priority=9)
    insert(store, 8, priority=9, state=StateNumber.SCHEDULED)
    assert store.count_ahead(1, 0, 3, 100) == 4
    assert store.count_ahead(1, 0, 1, 100) == 2
    assert store.count_ahead(1, 7, 4, 100) == 0
    assert store.count_ahead(1, -1, 6, 100) == 5
    assert store.count_ahead(1, -1, 6, 3) == 3, "it counts no further than asked"


def test_the_oldest_ready_task_is_found_whatever_its_priority(store: SqliteStore) -> None:
    assert store.oldest_ready(1) is None
    insert(store, 5, priority=100)
    insert(store, 3, priority=-100)
    insert(store, 1, state=StateNumber.SCHEDULED)
    insert(store, 2, lane=2)
    assert store.oldest_ready(1) == NOW + 3


def test_a_window_goes_back_from_a_task(store: SqliteStore) -> None:
    insert(store, *range(1, 8))
    assert [row.seq for row in store.window(6, 3)] == [5, 4, 3]
    assert store.window(1, 10) == []


def test_deleting_takes_exactly_those_named(store: SqliteStore) -> None:
    insert(store, 1, 2, 3)
    store.delete([1, 3])
    assert [row.seq for row in store.window(9, 9)] == [2]


def test_a_brief_look_leaves_the_payload_where_it_is(store: SqliteStore) -> None:
    insert(store, 1)
    task = store.brief(1)
    assert task is not None
    assert (task.queue, task.task, task.payload, task.result) == ("q", "m:f", b"", None)
    assert store.brief(2) is None


@pytest.mark.parametrize(
    ("statement", "given"),
    [
        ("count_ahead", {"lane": 1, "priority": 0, "seq": 1, "limit": 1}),
        ("oldest_ready", {"lane": 1}),
        ("window", (1, 1)),
        ("brief", (1,)),
    ],
)
def test_no_statement_walks_through_the_table(store: SqliteStore, statement: str, given: object) -> None:
    plan = [row[3] for row in store._run(f"EXPLAIN QUERY PLAN {store._sql[statement]}", given)]
    walks = [step for step in plan if step.startswith("SCAN") and "tasks" in step]
    assert walks == [], plan
