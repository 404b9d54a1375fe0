"""What every store must do, on a file and in memory. A new store is one more line in ``stores``."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.errors import ConfigError, StoreError
from tq.master.store.interface.attempt_output import Observation
from tq.master.store.interface.keys import KeyRow
from tq.master.store.interface.queries import TaskFilter
from tq.master.store.interface.store import Inconsistent, Store
from tq.master.store.interface.tasks import EndedAttempt, NewTasks
from tq.master.store.sqlite.store import SqliteStore

LEASE = b"L" * 16
NOW = 1_700_000_000_000


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store = SqliteStore(tmp_path / "tq.db" if request.param == "file" else None)
    yield store
    store.close()


@pytest.fixture
def lane(store: Store) -> int:
    store.begin()
    lane = store.add_lane("q", "m:f")
    store.commit()
    return lane


def task(seq: int, lane: int, state: StateNumber = StateNumber.READY, **fields: Any) -> NewTasks:
    leased = state == StateNumber.RUNNING
    base = NewTasks(
        lane=lane,
        state=int(state),
        created=NOW,
        tasks=[(seq, fields.pop("id", seq.to_bytes(16, "big")), fields.pop("payload", b"payload"))],
        attempt=int(leased),
        lease=LEASE if leased else None,
        worker=1 if leased else None,
        started=NOW if leased else None,
    )
    return replace(base, **fields)


def insert(store: Store, *groups: NewTasks) -> None:
    store.begin()
    assert store.insert(groups)
    store.commit()


def within(store: Store, verb: Callable[[], object]) -> object:
    """Run a verb in a transaction of its own."""
    store.begin()
    try:
        result = verb()
    except BaseException:
        store.rollback()
        raise
    store.commit()
    return result


def state_of(store: Store, seq: int) -> StateNumber:
    [found] = store.find([seq.to_bytes(16, "big")])
    return StateNumber(found.state)


def ended(seq: int, state: StateNumber, **fields: object) -> EndedAttempt:
    values: dict[str, object] = {
        "seq": seq,
        "attempt": 1,
        "number": 1,
        "lease": LEASE,
        "worker": 1,
        "outcome": int(OutcomeNumber.ERROR),
        "started": NOW,
        "ended": NOW + 5,
        "body": b"why",
        "state": int(state),
        "due": None,
        "failures": 1,
        "crashes": 0,
        "finished": NOW + 5 if state.is_terminal else None,
    }
    return EndedAttempt(**{**values, **fields})  # type: ignore[arg-type]


def test_what_was_committed_is_there_and_what_was_rolled_back_is_not(store: Store, lane: int) -> None:
    insert(store, task(1, lane))
    store.begin()
    store.insert([task(2, lane)])
    store.rollback()
    assert [one.seq for one in store.find([b"%016d" % 0, *(seq.to_bytes(16, "big") for seq in (1, 2))])] == [
        1
    ]


def test_a_batch_with_a_known_id_is_not_inserted_at_all(store: Store, lane: int) -> None:
    insert(store, task(1, lane))
    store.begin()
    assert not store.insert([task(2, lane), task(3, lane, id=(1).to_bytes(16, "big"))])
    store.commit()
    assert store.find([(2).to_bytes(16, "big")]) == []


def test_changed_tells_whether_a_commit_has_to_be_synced(store: Store, lane: int) -> None:
    store.begin()
    store.find([new_ids()])
    assert not store.changed
    store.insert([task(1, lane)])
    assert store.changed
    store.commit()


def test_leases_come_by_priority_then_age_and_only_from_the_lanes_asked_for(store: Store, lane: int) -> None:
    store.begin()
    other, third = store.add_lane("q", "m:g"), store.add_lane("q", "m:h")
    store.commit()
    insert(store, task(1, lane), task(2, other), task(3, lane, priority=5), task(4, third, priority=9))
    leased = within(store, lambda: store.lease([lane, other], 2, None, LEASE, 1, NOW))
    assert [one.seq for one in leased] == [3, 1]
    leased = within(store, lambda: store.lease([other], 5, None, LEASE, 1, NOW))
    assert [(one.seq, one.attempt, one.payload) for one in leased] == [(2, 1, b"payload")]
    assert state_of(store, 4) == StateNumber.READY


def test_a_success_needs_the_current_attempt_and_lease(store: Store, lane: int) -> None:
    insert(store, task(1, lane, StateNumber.RUNNING))
    for attempt, lease in ((2, LEASE), (1, b"X" * 16)):
        with pytest.raises(Inconsistent):
            within(store, lambda a=attempt, le=lease: store.succeed([(b"r", NOW, NOW, 1, a, le)]))
    within(store, lambda: store.succeed([(b"r", NOW, NOW + 1, 1, 1, LEASE)]))
    assert store.outcomes([(1).to_bytes(16, "big")]) == [
        ((1).to_bytes(16, "big"), lane, StateNumber.SUCCEEDED, b"r")
    ]
    with pytest.raises(Inconsistent):
        within(store, lambda: store.succeed([(b"again", NOW, NOW, 1, 1, LEASE)]))


def test_an_ended_attempt_is_kept_and_its_task_goes_where_it_is_sent(store: Store, lane: int) -> None:
    insert(store, task(1, lane, StateNumber.RUNNING), task(2, lane, StateNumber.RUNNING))
    within(
        store,
        lambda: store.end_attempts(
            [ended(1, StateNumber.SCHEDULED, due=NOW + 100), ended(2, StateNumber.FAILED)]
        ),
    )
    assert (state_of(store, 1), state_of(store, 2)) == (StateNumber.SCHEDULED, StateNumber.FAILED)
    assert store.next_due() == NOW + 100
    [attempt] = store.attempts(1)
    assert (attempt.attempt, attempt.outcome, attempt.body) == (1, OutcomeNumber.ERROR, b"why")


def test_of_a_task_that_snoozes_without_end_the_last_attempts_are_kept_and_all_that_ended_otherwise(
    store: Store, lane: int
) -> None:
    insert(store, task(1, lane), task(2, lane))
    snooze, error = int(OutcomeNumber.SNOOZE), int(OutcomeNumber.ERROR)
    for attempt in range(1, 321):
        lease = attempt.to_bytes(16, "big")
        within(store, lambda le=lease: store.lease([lane], 1, None, le, 1, NOW))
        said = [Observation(1, attempt, None, 1, b"x")]
        within(store, lambda said=said: store.observe(said, 100))
        end = ended(
            1,
            StateNumber.READY,
            attempt=attempt,
            number=attempt,
            lease=lease,
            outcome=error if attempt in (1, 7) else snooze,
            failures=0,
        )
        within(store, lambda end=end: store.end_attempts([end]))
    assert [one.attempt for one in store.attempts(1)] == [1, 7, *range(221, 321)]
    assert {row.attempt for row in store.logs(1, 320, 1_000)} == {1, 7, *range(221, 321)}
    assert store.log_bytes == 102


def test_scheduled_tasks_become_ready_at_their_time_in_bounded_portions(store: Store, lane: int) -> None:
    insert(store, *(task(seq, lane, StateNumber.SCHEDULED, due=NOW + seq) for seq in range(1, 6)))
    assert within(store, lambda: store.promote(NOW + 3, 2)) == [lane, lane]
    assert within(store, lambda: store.promote(NOW + 3, 10)) == [lane]
    assert store.next_due() == NOW + 4


def test_waiting_tasks_expire_and_running_ones_do_not(store: Store, lane: int) -> None:
    insert(
        store,
        task(1, lane, expires=NOW),
        task(2, lane, StateNumber.RUNNING, expires=NOW),
        task(3, lane, expires=NOW + 9),
    )
    assert within(store, lambda: store.expire(NOW, 10)) == [
        (1, (1).to_bytes(16, "big"), lane, StateNumber.READY, None)
    ]
    assert store.next_expiry() == NOW + 9


def test_purging_takes_the_oldest_finished_first_with_their_attempts(store: Store, lane: int) -> None:
    insert(store, *(task(seq, lane, StateNumber.RUNNING) for seq in (1, 2, 3)))
    within(
        store,
        lambda: store.end_attempts([ended(seq, StateNumber.FAILED, finished=NOW + seq) for seq in (1, 2)]),
    )
    assert within(store, lambda: store.purge(NOW + 2, 1)) == [(lane, StateNumber.FAILED)]
    assert store.find([(1).to_bytes(16, "big")]) == []
    assert store.attempts(1) == []
    assert len(store.attempts(2)) == 1


def test_cancel_and_revive_are_conditional(store: Store, lane: int) -> None:
    insert(store, task(1, lane), task(2, lane, StateNumber.RUNNING))
    within(store, lambda: store.cancel_waiting(1, NOW))
    with pytest.raises(Inconsistent):
        within(store, lambda: store.cancel_waiting(2, NOW))
    within(store, lambda: store.request_cancel(2))
    within(store, lambda: store.revive(1))
    assert state_of(store, 1) == StateNumber.READY
    with pytest.raises(Inconsistent):
        within(store, lambda: store.revive(1))


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


def test_listings_are_newest_first_and_filtered(store: Store, lane: int) -> None:
    store.begin()
    other = store.add_lane("r", "m:g")
    store.commit()
    insert(store, task(1, lane), task(2, other), task(3, lane, created=NOW + 9))
    seqs = lambda what: [one.seq for one in store.listing(what, 10)]  # noqa: E731
    assert seqs(TaskFilter()) == [3, 2, 1]
    assert seqs(TaskFilter(queue="r")) == [2]
    assert seqs(TaskFilter(task="m:f", before_seq=3)) == [1]
    assert seqs(TaskFilter(since=NOW + 1)) == [3]
    assert seqs(TaskFilter(states=(int(StateNumber.FAILED),))) == []


def test_keys_queues_workers_and_meta_are_kept(store: Store) -> None:
    key = KeyRow("id", "worker", "gpu.*", "none", b"s", b"t", "active", "note", NOW, None)
    store.begin()
    store.put_key(key)
    store.put_key(key._replace(state="revoked", last_used=NOW))
    store.put_queue("q", True, "why", NOW)
    first = store.put_worker(b"n" * 16, "host", 1, NOW)
    assert store.put_worker(b"n" * 16, "host2", 2, NOW) == first
    store.set_meta("x", b"1")
    store.set_meta("x", b"2")
    store.commit()
    assert store.key_rows() == [key._replace(state="revoked", last_used=NOW)]
    assert store.load().queues == [("q", 1, "why", NOW)]
    assert (store.worker_host(first), store.get_meta("x"), store.get_meta("y")) == ("host2", b"2", None)


def test_reopening_keeps_what_was_committed_and_nothing_else(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tq.db")
    lane = within(store, lambda: store.add_lane("q", "m:f"))
    insert(store, task(1, lane))  # type: ignore[arg-type]
    store.begin()
    store.insert([task(2, lane)])  # type: ignore[arg-type]
    store.reopen()
    assert store.load().last_seq == 1
    store.close()


def test_reopening_can_fail_and_be_tried_again(tmp_path: Path) -> None:
    disk, away = tmp_path / "disk", tmp_path / "away"
    disk.mkdir()
    store = SqliteStore(disk / "tq.db")
    within(store, lambda: store.add_lane("q", "m:f"))
    disk.rename(away)
    for _ in range(2):
        with pytest.raises(StoreError, match="unable to open"):
            store.reopen()
        with pytest.raises(StoreError):
            store.begin()
    away.rename(disk)
    store.reopen()
    assert store.load().lanes == [(1, "q", "m:f")]
    store.close()


@pytest.mark.parametrize(("bytes_max", "leased"), [(1, 1), (199, 1), (200, 2), (299, 2), (10_000, 4)])
@pytest.mark.parametrize("lanes", [1, 2])
def test_a_lease_ends_before_the_task_that_goes_over_its_bytes(
    store: Store, lane: int, lanes: int, bytes_max: int, leased: int
) -> None:
    served = [lane, *(within(store, lambda: store.add_lane("q", "m:other")) for _ in range(lanes - 1))]
    insert(store, *(task(seq, served[seq % lanes], payload=b"x" * 100) for seq in range(1, 5)))
    rows = within(store, lambda: store.lease(served, 10, bytes_max, LEASE, 1, NOW))
    assert [row.seq for row in rows] == list(range(1, leased + 1))  # type: ignore[attr-defined]


def test_every_commit_is_synced_by_default(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tq.db")
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()


def test_a_store_from_before_tasks_had_origins_keeps_every_task_and_index(tmp_path: Path) -> None:
    folder = resources.files("tq.master.store.sqlite").joinpath("migrations")
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    db = sqlite3.connect(tmp_path / "tq.db", isolation_level=None)
    for number, name in enumerate(files[:8], start=1):
        db.executescript(f"{folder.joinpath(name).read_text('utf-8')}; PRAGMA user_version = {number}")
    db.execute("INSERT INTO lanes (queue, task) VALUES ('q', 'm:f')")
    for seq, state in enumerate(StateNumber, start=1):
        leased, done = state == StateNumber.RUNNING, state.is_terminal
        db.execute(
            "INSERT INTO tasks (seq, id, lane, state, priority, attempt, failures, crashes, cancel, lease, worker, created,"
            " due, expires, started, finished, timeout, options, payload, result)"
            " VALUES (?, ?, 1, ?, 5, 4, 2, 1, 0, ?, 1, 7, ?, ?, 8, ?, 1.5, x'80', zeroblob(9000), ?)",
            (
                seq,
                seq.to_bytes(16, "big"),
                int(state),
                LEASE if leased else None,
                NOW if state == StateNumber.SCHEDULED else None,
                NOW if state < StateNumber.RUNNING else None,
                9 if done else None,
                b"r" if done else None,
            ),
        )
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'tasks' ORDER BY name"
    before = db.execute(indexes).fetchall()
    db.close()
    store = SqliteStore(tmp_path / "tq.db")
    for seq, state in enumerate(StateNumber, start=1):
        task = store.full(seq.to_bytes(16, "big"))
        assert task is not None
        assert (task.state, task.attempt, task.returned, task.failures, task.crashes) == (state, 4, 0, 2, 1)
        assert (task.priority, task.timeout, task.options, task.payload) == (5, 1.5, b"\x80", bytes(9000))
    assert [row.lease for row in store.load().running] == [LEASE]
    assert (store.next_due(), store.next_expiry()) == (NOW, NOW)
    store.close()
    db = sqlite3.connect(tmp_path / "tq.db")
    assert db.execute(indexes).fetchall() == before
    db.close()


def test_migrations_are_numbered_without_gap_or_double() -> None:
    folder = resources.files("tq.master.store.sqlite").joinpath("migrations")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_a_store_of_a_newer_schema_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "tq.db") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(ConfigError, match=r"schema version 999.*start the newer tq-master"):
        SqliteStore(tmp_path / "tq.db")


@pytest.mark.parametrize(
    "statement",
    [
        "ready_heads",
        "lease_lane",
        "lease_one",
        "succeed",
        "end_attempt",
        "due",
        "next_due",
        "overdue",
        "next_expiry",
        "finished_before",
        "find",
        "outcome",
        "created",
        "running",
        "count_ready",
        "count_scheduled",
        "count_finished",
    ],
)
def test_no_statement_of_the_hot_path_scans_the_table(tmp_path: Path, statement: str) -> None:
    store = SqliteStore(tmp_path / "tq.db")
    sql = store._sql[statement]
    names = {
        "lease": b"",
        "worker": 1,
        "now": 1,
        "lane": 1,
        "limit": 1,
        "seq": 1,
        "state": 1,
        "due": 1,
        "failures": 1,
        "crashes": 1,
        "finished": 1,
        "body": b"",
        "started": 1,
        "attempt": 1,
    }
    values: object = names if ":" in sql else [1] * sql.count("?")
    plan = [row[3] for row in store._db.execute("EXPLAIN QUERY PLAN " + sql, values)]
    assert "SCAN tasks" not in plan, plan
    if not statement.startswith("count_"):  # those run once, when a master starts
        assert not [step for step in plan if "TEMP B-TREE" in step], plan
    store.close()


def test_it_tells_when_tasks_were_submitted(store: Store, lane: int) -> None:
    insert(store, task(1, lane, created=NOW + 1), task(2, lane, created=NOW + 2, priority=9))
    assert within(store, lambda: store.created([2, 1])) == [NOW + 2, NOW + 1]


KILLED_WRITER = """
import os, sys
from pathlib import Path
from tq.master.store.sqlite.store import SqliteStore
from tq.master.store.interface.tasks import NewTasks
store = SqliteStore(Path(sys.argv[1]))
store.begin(); lane = store.add_lane("q", "m:f"); store.commit()
for seq in range(1, 1000):
    store.begin()
    store.insert([NewTasks(lane=lane, state=0, created=1, tasks=[(seq, seq.to_bytes(16, "big"), b"")])])
    if seq == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
    store.commit()
    print(seq, flush=True)
"""


@pytest.mark.parametrize("kill_at", [1, 2, 50])
def test_a_killed_process_leaves_exactly_what_it_had_committed(tmp_path: Path, kill_at: int) -> None:
    run = subprocess.run(
        [sys.executable, "-c", KILLED_WRITER, str(tmp_path / "tq.db"), str(kill_at)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert run.returncode == -9, run.stderr
    acknowledged = len(run.stdout.split())
    store = SqliteStore(tmp_path / "tq.db")
    assert store.load().last_seq == acknowledged == kill_at - 1
    store.close()
