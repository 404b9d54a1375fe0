"""SQLite's file: synced, reopened, migrated, left by a process that was killed."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import ClassVar

import pytest
from tq.common.domain.model import StateNumber
from tq.common.errors import ConfigError, StoreError
from tq.master.store.sqlite.store import SqliteStore

from tests.master.store.tasks import LEASE, NOW, insert, task, within
from tests.new_tables import migrate


def test_reopening_keeps_what_was_committed_and_nothing_else(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tq.db")
    route = within(store, lambda: store.add_route("q", "m:f"))
    insert(store, task(1, route))  # type: ignore[arg-type]
    store.begin()
    store.insert([task(2, route)])  # type: ignore[arg-type]
    store.reopen()
    assert store.load().last_seq == 1
    store.close()


def test_reopening_can_fail_and_be_tried_again(tmp_path: Path) -> None:
    disk, away = tmp_path / "disk", tmp_path / "away"
    disk.mkdir()
    store = SqliteStore(disk / "tq.db")
    within(store, lambda: store.add_route("q", "m:f"))
    disk.rename(away)
    for _ in range(2):
        with pytest.raises(StoreError, match="unable to open"):
            store.reopen()
        with pytest.raises(StoreError):
            store.begin(at_once=True)
    away.rename(disk)
    store.reopen()
    assert store.load().routes == [(1, "q", "m:f", b"")]
    store.close()


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
    before = [(name, sql.replace("lane", "route")) for name, sql in db.execute(indexes)]
    db.close()
    store = SqliteStore(tmp_path / "tq.db")
    for seq, state in enumerate(StateNumber, start=1):
        task = store.full(seq.to_bytes(16, "big"))
        assert task is not None
        assert (task.state, task.attempt, task.returned, task.failures, task.crashes) == (state, 4, 0, 2, 1)
        assert (task.priority, task.timeout, task.options, task.payload) == (5, 1.5, b"\x80", bytes(9000))
    assert [row.lease for row in store.load().running] == [LEASE]
    assert (store.next_due(), store.next_expiry()) == (NOW, NOW)
    assert sorted(store.counts.read()) == sorted(store.counts.recount())
    assert store.counts.kept_bytes == 6 * (9_000 + 1)
    store.close()
    db = sqlite3.connect(tmp_path / "tq.db")
    after = db.execute(indexes).fetchall()
    later = {
        "tasks_unsuccessful",
        "tasks_kept",
        "tasks_finished",
        "tasks_blocked",
        "tasks_of_flows",
        "tasks_urgent",
        "tasks_ended",
    }  # made, or made otherwise, since
    assert [one for one in after if one[0] not in later] == [one for one in before if one[0] not in later]
    db.close()


def test_a_new_store_is_made_in_one_transaction_and_one_with_content_is_changed_file_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tq.master.store.sqlite.store.migrate", migrate)

    class Watched(sqlite3.Connection):
        commits: ClassVar[list[int]] = []

        def executescript(self, script: str, /) -> sqlite3.Cursor:
            self.commits.append(script.count("COMMIT"))
            return super().executescript(script)

    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Watched))
    SqliteStore(tmp_path / "tq.db").close()
    assert Watched.commits == [1]
    made = tmp_path / "made.db"
    with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as db:
        folder = resources.files("tq.master.store.sqlite").joinpath("migrations")
        files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
        db.executescript(f"{folder.joinpath(files[0]).read_text('utf-8')}; PRAGMA user_version = 1")
    Watched.commits.clear()
    SqliteStore(made).close()
    assert Watched.commits == [1] * (len(files) - 1)
    with (
        contextlib.closing(sqlite3.connect(made)) as one,
        contextlib.closing(sqlite3.connect(tmp_path / "tq.db")) as other,
    ):
        tables = "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2"
        assert one.execute(tables).fetchall() == other.execute(tables).fetchall()


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


KILLED_WRITER = """
import os, sys
from pathlib import Path
from tq.master.store.sqlite.store import SqliteStore
from tq.master.store.interface.tasks import NewTasks
store = SqliteStore(Path(sys.argv[1]))
store.begin(); route = store.add_route("q", "m:f"); store.commit()
for seq in range(1, 1000):
    store.begin()
    store.insert([NewTasks(route=route, state=0, created=1, tasks=[(seq, seq.to_bytes(16, "big"), b"")])])
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


def test_a_transaction_that_asks_nothing_takes_no_lock_and_the_first_statement_of_others_does(
    tmp_path: Path,
) -> None:
    store, other = SqliteStore(tmp_path / "tq.db"), sqlite3.connect(tmp_path / "tq.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store._db.execute("PRAGMA busy_timeout = 0")
    store.begin()
    assert store.in_transaction
    assert not store.changed
    store.commit()
    assert not store.in_transaction
    store.begin()
    for _ in range(2):
        with pytest.raises(StoreError, match="locked"):
            store.add_route("q", "m:f")
        assert store.in_transaction, "nothing is done outside of it: the next statement begins it, or fails"
    with pytest.raises(StoreError, match="locked"):
        store.begin(at_once=True)
    other.execute("ROLLBACK")
    within(store, lambda: store.add_route("q", "m:f"))
    store.begin(reading=True)
    assert store.load().routes == [(1, "q", "m:f", b"")]
    store.rollback()
    other.close()
    store.close()
