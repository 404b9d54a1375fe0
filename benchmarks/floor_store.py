"""The floor's disk: SQLite with a sync at every commit, through tq's own schema and statements.

Measured: what the master's store does for a task and nothing around it, in group commits of a thousand; one
task alone, which pays two commits; one value of 1 MB; the same two statements on a table with no index but
its key, which tells what the schema costs; and a bare fdatasync. Not measured: deciding anything.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tq.common.domain.ids import new_ids
from tq.common.domain.model import StateNumber
from tq.master.store.interface.tasks import NewTasks, Success
from tq.master.store.sqlite.store import SqliteStore

from .readings import Readings, percentile
from .scale import Scale

GROUP_TASKS: Final = 1_000  # in one commit
VALUE_BYTES: Final = 1_000_000
VALUES: Final = 20
PAGE_BYTES: Final = 4096  # SQLite's, and what a sync has to write at least
PAYLOAD: Final = b"\x92\x91\x2a\x80"  # [[42], {}]
RESULT: Final = b"\x2a"

Spent = tuple[float, float]  # seconds by the clock, and of a processor


def store(scale: Scale) -> Readings:
    """``floor.store.*``: seconds of the clock and of a processor per task, and seconds per commit."""
    numbers: dict[str, float] = {}
    for name, measure in (("direct", _direct), ("leased", _leased)):
        with _store() as db:
            inserted, whole = measure(db, scale.store_tasks)
        numbers[f"floor.store.{name}_seconds"], numbers[f"floor.store.{name}_busy_seconds"] = whole
        numbers[f"floor.store.{name}_insert_seconds"] = inserted[0]
    numbers["floor.store.bare_seconds"], numbers["floor.store.bare_busy_seconds"] = _bare(scale.store_tasks)
    for durability in ("fsync", "os", "memory"):
        with _store(durability) as db:
            numbers[f"floor.store.trip_{durability}_seconds"] = _alone(db, scale.syncs)
    with _store() as db:
        numbers["floor.store.value_seconds"], numbers["floor.store.value_busy_seconds"] = _values(db)
    numbers["floor.fdatasync_seconds"] = _fdatasync(scale.syncs)
    return Readings(numbers=numbers)


@contextmanager
def _store(durability: str = "fsync") -> Iterator[SqliteStore]:
    with tempfile.TemporaryDirectory(prefix="tq-bench-") as name:
        db = SqliteStore(None if durability == "memory" else Path(name) / "tq.db", durability)
        try:
            db.begin()
            db.add_route("default", "bench:nothing")
            db.commit()
            yield db
        finally:
            db.close()


def _rows(
    first: int, count: int, state: StateNumber, lease: bytes | None, payload: bytes = PAYLOAD
) -> NewTasks:
    now = time.time_ns() // 1_000_000
    tasks = [(seq, id, payload) for seq, id in enumerate(new_ids.many(count), first)]
    if lease is None:
        return NewTasks(route=1, state=state, created=now, tasks=tasks)
    return NewTasks(route=1, state=state, created=now, tasks=tasks, attempt=1, lease=lease, worker=1)


def _seqs(rows: NewTasks) -> range:
    return range(rows.tasks[0][0], rows.tasks[-1][0] + 1)


def _successes(seqs: range, lease: bytes, result: bytes = RESULT) -> list[Success]:
    now = time.time_ns() // 1_000_000
    return [(result, now, now, seq, 1, lease) for seq in seqs]


def _direct(db: SqliteStore, tasks: int) -> tuple[Spent, Spent]:
    """Inserted as leased, finished: two writes a task, as when a worker waits. Rows are made before."""
    lease = os.urandom(16)
    groups = [_rows(first, GROUP_TASKS, StateNumber.RUNNING, lease) for first in range(1, tasks, GROUP_TASKS)]
    ends = [_successes(_seqs(rows), lease) for rows in groups]
    inserted = (0.0, 0.0)
    finished = (0.0, 0.0)
    for rows, end in zip(groups, ends, strict=True):
        inserted = _added(inserted, _committed(db, lambda rows=rows: db.insert([rows])))  # type: ignore[misc]
        finished = _added(finished, _committed(db, lambda end=end: db.succeed(end)))  # type: ignore[misc]
    return _each(inserted, tasks), _each(_added(inserted, finished), tasks)


def _leased(db: SqliteStore, tasks: int) -> tuple[Spent, Spent]:
    """Inserted as ready, leased, finished: three writes a task, as when it has to wait for a worker."""
    lease = os.urandom(16)
    groups = [_rows(first, GROUP_TASKS, StateNumber.READY, None) for first in range(1, tasks, GROUP_TASKS)]
    inserted = (0.0, 0.0)
    for rows in groups:
        inserted = _added(inserted, _committed(db, lambda rows=rows: db.insert([rows])))  # type: ignore[misc]
    rest = (0.0, 0.0)
    for rows in groups:
        end = _successes(_seqs(rows), lease)
        rest = _added(rest, _committed(db, lambda: db.lease([1], GROUP_TASKS, None, lease, 1, 0)))
        rest = _added(rest, _committed(db, lambda end=end: db.succeed(end)))  # type: ignore[misc]
    return _each(inserted, tasks), _each(_added(inserted, rest), tasks)


def _alone(db: SqliteStore, count: int) -> float:
    """Median seconds of one task alone: insert, commit, finish, commit."""
    lease, times = os.urandom(16), []
    for seq in range(1, count + 1):
        rows, end = _rows(seq, 1, StateNumber.RUNNING, lease), _successes(range(seq, seq + 1), lease)
        began = time.perf_counter()
        _committed(db, lambda rows=rows: db.insert([rows]))  # type: ignore[misc]
        _committed(db, lambda end=end: db.succeed(end))  # type: ignore[misc]
        times.append(time.perf_counter() - began)
    return percentile(sorted(times), 0.5)


def _values(db: SqliteStore) -> Spent:
    """One argument and one result of 1 MB each, a commit for each, as seconds for the pair."""
    lease, value = os.urandom(16), os.urandom(VALUE_BYTES)
    spent = (0.0, 0.0)
    for seq in range(1, VALUES + 1):
        rows = _rows(seq, 1, StateNumber.RUNNING, lease, value)
        end = _successes(range(seq, seq + 1), lease, value)
        spent = _added(spent, _committed(db, lambda rows=rows: db.insert([rows])))  # type: ignore[misc]
        spent = _added(spent, _committed(db, lambda end=end: db.succeed(end)))  # type: ignore[misc]
    return _each(spent, VALUES)


def _bare(tasks: int) -> Spent:
    """Insert and update in a table that has its key and nothing else: less than a queue can do with."""
    with tempfile.TemporaryDirectory(prefix="tq-bench-") as name:
        db = sqlite3.connect(Path(name) / "bare.db", isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE tasks (seq INTEGER PRIMARY KEY, state INTEGER, payload BLOB, result BLOB)")
        began, began_busy = time.perf_counter(), time.process_time()
        for first in range(1, tasks, GROUP_TASKS):
            seqs = range(first, first + GROUP_TASKS)
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO tasks VALUES (?, 3, ?, NULL)", [(seq, PAYLOAD) for seq in seqs])
            db.execute("COMMIT")
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "UPDATE tasks SET state = 10, result = ? WHERE seq = ?", [(RESULT, seq) for seq in seqs]
            )
            db.execute("COMMIT")
        spent = (time.perf_counter() - began, time.process_time() - began_busy)
        db.close()
    return _each(spent, tasks)


def _fdatasync(count: int) -> float:
    """Median seconds of appending a page and syncing it."""
    times = []
    with tempfile.TemporaryFile(prefix="tq-bench-", buffering=0) as file:
        for _ in range(count):
            file.write(os.urandom(PAGE_BYTES))
            began = time.perf_counter()
            # macOS has no fdatasync, and its fsync does not wait for the disk: the figure says little there.
            getattr(os, "fdatasync", os.fsync)(file.fileno())
            times.append(time.perf_counter() - began)
    return percentile(sorted(times), 0.5)


def _committed(db: SqliteStore, write: Callable[[], object]) -> Spent:
    began, began_busy = time.perf_counter(), time.process_time()
    db.begin()
    write()
    db.commit()
    return time.perf_counter() - began, time.process_time() - began_busy


def _added(one: Spent, other: Spent) -> Spent:
    return one[0] + other[0], one[1] + other[1]


def _each(spent: Spent, count: int) -> Spent:
    return spent[0] / count, spent[1] / count
