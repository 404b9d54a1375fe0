"""The embedded store: one SQLite file, write-ahead log, every commit synced unless asked otherwise.

Owns the file, the schema's migrations and the execution of the named statements in ``sql/``. Decides
nothing. ``memory`` is the same code on ``:memory:``, so that there is no second store to keep honest.

Two facts about SQLite that this file stands on: in WAL mode only ``synchronous=FULL`` syncs on every
commit (NORMAL syncs at checkpoints only), so FULL is set and read back; and after an I/O error on commit
nobody knows what reached the disk, so that handle is never used again (``reopen``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from ....common.domain.lifecycle import may_begin
from ....common.domain.model import StateNumber
from ....common.errors import ConfigError, StoreError
from ..interface.store import (
    AttemptRow,
    EndedAttempt,
    Expired,
    Facts,
    Found,
    FullTask,
    Inconsistent,
    KeyRow,
    Leased,
    LogRow,
    NewTasks,
    Observation,
    OutcomeRow,
    Picture,
    Returned,
    RunningRow,
    Success,
    TaskFilter,
    WindowRow,
)
from .blobs import BlobRows
from .data import SqliteData
from .items import SqliteItems
from .listing import conditions
from .locks import SqliteSyncs
from .remedies import Trouble, is_damage, store_error, why_not_open
from .statements import load_statements

SQLITE_VERSION_MIN: Final = (3, 35, 0)  # RETURNING
CACHE_KIBIBYTES: Final = 32 * 1024  # the pages of the hot ends of the tables and indexes
STATEMENTS_CACHED: Final = 256  # more than there are
SYNCHRONOUS: Final = {
    "fsync": 2,
    "os": 0,
    "memory": 0,
}  # FULL; OFF: the operating system writes when it likes
PLAIN: Final = (0, *[None] * 5)  # priority, due, expires, timeout, options, origin: of most tasks


FAILURES: Final = (sqlite3.Error, MemoryError)  # SQLite's own want of memory comes as Python's


class SqliteStore:
    """See ``interface.Store``. ``path`` None: in memory, gone with the process."""

    def __init__(
        self,
        path: Path | None,
        durability: str = "fsync",
        on_damage: Callable[[str], None] = lambda text: None,
    ) -> None:
        if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
            raise ConfigError(
                f"this Python has SQLite {sqlite3.sqlite_version}; tq needs 3.35 or newer: use a newer Python build"
            )
        self._path, self._durability = path, durability
        self.damage, self._on_damage = "", on_damage
        self._sql, self._beginnings = load_statements(), may_begin()
        self.blobs = BlobRows(self._all, self._many)
        self._db = self._open()
        self._changes_before = 0
        self.items = SqliteItems(self._all, self._many, self._exactly)
        self.syncs = SqliteSyncs(self._all, self._many, self._exactly)
        self.data = SqliteData(self._all, self._many, self._exactly)

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except FAILURES as error:
            raise ConfigError(why_not_open(self._path, error)) from error

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._path or ":memory:",
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS_CACHED,
        )
        try:
            _configure(db, self._durability)
            _migrate(db, self._path)
        except BaseException:
            db.close()
            raise
        return db

    # transactions

    @property
    def changed(self) -> bool:
        return self._db.total_changes != self._changes_before

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def begin(self, *, reading: bool = False) -> None:
        self._run("BEGIN" if reading else "BEGIN IMMEDIATE")
        self._changes_before = self._db.total_changes

    def commit(self) -> None:
        self._run("COMMIT")

    def rollback(self) -> None:
        if self._db.in_transaction:
            self._run("ROLLBACK")

    def reopen(self) -> None:
        if self._path is None:  # an in-memory database has no disk that could have failed
            self.rollback()
            return
        try:
            self._db.close()  # closed it stays if opening fails: then every use of it is an error
            self._db = self._connect()
        except FAILURES as error:
            raise self._failed(error) from error

    def close(self) -> None:
        self._db.close()

    def load(self) -> Picture:
        count = [
            row for name in ("count_ready", "count_scheduled", "count_finished") for row in self._all(name)
        ]
        return Picture(
            lanes=self._all("lanes"),
            queues=self._all("queues"),
            counts=count,
            running=[RunningRow(*row) for row in self._all("running")],
            workers=self._all("workers"),
            origins=self._all("origins"),
            last_seq=self._all("last_seq")[0][0],
        )

    # submit and lease

    def insert(self, groups: Sequence[NewTasks]) -> bool:
        plain: list[tuple[Any, ...]] = []  # most tasks: fewer parameters are a fifth less work
        full: list[tuple[Any, ...]] = []
        for group in groups:
            if group.state not in self._beginnings:
                raise ValueError(
                    f"no task may begin as {StateNumber(group.state)}: see the table of lifecycle.py"
                )
            shared = (
                group.lane,
                group.state,
                group.attempt,
                group.lease,
                group.worker,
                group.created,
                group.started,
            )
            due = group.due if group.at is None else -group.at
            rest = group.priority, due, group.expires, group.timeout, group.options, group.origin
            if rest == PLAIN:
                plain += [(*task, *shared) for task in group.tasks]
            else:
                full += [(*task, *shared, *rest) for task in group.tasks]
        self._run("SAVEPOINT insertion")
        whole = self._many("insert_plain", plain) + self._many("insert", full) == len(plain) + len(full)
        if not whole:
            self._run("ROLLBACK TO insertion")
        self._run("RELEASE insertion")
        return whole

    def lease(
        self, lanes: Sequence[int], limit: int, bytes_max: int | None, lease: bytes, worker: int, now: int
    ) -> list[Leased]:
        given = {"lease": lease, "worker": worker, "now": now}
        if len(lanes) > 1:
            heads = [head for lane in lanes for head in self._all("ready_heads", (lane, limit))]
            chosen = _first(heads, limit, bytes_max)
            rows = [row for seq in chosen for row in self._all("lease_one", {**given, "seq": seq})]
        elif bytes_max is None:
            rows = self._all("lease_lane", {**given, "lane": lanes[0], "limit": limit})
        else:
            given |= {"lane": lanes[0], "limit": limit, "bytes_max": bytes_max}
            rows = self._all("lease_lane_measured", given)
        rows.sort(key=lambda row: (-row[0], row[1]))  # RETURNING promises no order
        return list(map(Leased._make, rows))

    # ends

    def succeed(self, rows: Sequence[Success]) -> None:
        self._exactly("succeed", rows)

    def end_attempts(self, rows: Sequence[EndedAttempt]) -> None:
        fields = [{name: getattr(row, name) for name in EndedAttempt.__slots__} for row in rows]
        self._exactly("end_attempt", fields)
        self._many("log_attempt", fields)
        self._many("forget_snoozed_logs", fields)
        self._many("forget_snoozed", fields)

    def return_unstarted(self, rows: Sequence[Returned]) -> None:
        self._exactly("return_unstarted", rows)

    def request_cancel(self, seq: int) -> None:
        self._exactly("request_cancel", [(seq,)])

    def cancel_waiting(self, seq: int, now: int) -> None:
        self._exactly("cancel_waiting", [(now, seq)])

    def revive(self, seq: int) -> None:
        self._exactly("revive", [(seq,)])

    # time

    def next_due(self) -> int | None:
        return self._value("next_due")

    def next_at(self) -> int | None:
        return self._value("next_at")

    def promote(self, now: int, limit: int) -> list[int]:
        return self._promoted(self._all("due", (now, limit)))

    def promote_at(self, wall: int, limit: int) -> list[int]:
        return self._promoted(self._all("due_at", (wall, limit)))

    def _promoted(self, rows: list[tuple[int, int]]) -> list[int]:
        self._exactly("promote", [(seq,) for seq, _ in rows])
        return [lane for _, lane in rows]

    def next_expiry(self) -> int | None:
        return self._value("next_expiry")

    def expire(self, now: int, limit: int) -> list[Expired]:
        rows = [Expired(*row) for row in self._all("overdue", (now, limit))]
        self._exactly("expire", [(now, row.seq, row.state) for row in rows])
        return rows

    def purge(self, finished_before: int, limit: int) -> list[tuple[int, int]]:
        rows = self._all("finished_before", (finished_before, limit))
        self.delete([seq for seq, _, _ in rows])
        return [(lane, state) for _, lane, state in rows]

    def delete(self, seqs: Sequence[int]) -> None:
        sequence = [(seq,) for seq in seqs]
        self._many("delete_attempts", sequence)
        self._many("delete_logs", sequence)
        self.blobs.unname(sequence)
        self._exactly("delete", sequence)

    # reading

    def find(self, ids: Iterable[bytes]) -> list[Found]:
        return [Found(*row) for id in ids for row in self._all("find", (id,))]

    def payload(self, seq: int) -> bytes:
        return bytes(self._all("payload", (seq,))[0][0])

    def outcomes(self, ids: Iterable[bytes]) -> list[OutcomeRow]:
        return [OutcomeRow(*row) for id in ids for row in self._all("outcome", (id,))]

    def facts(self, seq: int) -> Facts:
        return Facts(*self._all("facts", (seq,))[0])

    def full(self, id: bytes) -> FullTask | None:
        rows = self._all("full", (id,))
        return FullTask(*rows[0]) if rows else None

    def attempts(self, seq: int) -> list[AttemptRow]:
        return [AttemptRow(*row) for row in self._all("attempts", (seq,))]

    def created(self, seqs: Iterable[int]) -> list[int]:
        return [self._all("created", (seq,))[0][0] for seq in seqs]

    def worker_host(self, worker: int) -> str | None:
        rows = self._all("worker_host", (worker,))
        return rows[0][0] if rows else None

    def listing(self, what: TaskFilter, limit: int) -> list[FullTask]:
        where, values = conditions(what)
        rows = self._run(self._sql["listing"].replace("/*conditions*/", where), (*values, limit))
        return [FullTask(*row) for row in rows]

    # what attempts say

    def observe(self, rows: Sequence[Observation], kept_bytes: int) -> None:
        self._many("observe", [{**row._asdict(), "kept": kept_bytes} for row in rows])

    def progress(self, seq: int, attempt: int) -> bytes | None:
        rows = self._all("progress", (seq, attempt))
        return rows[0][0] if rows else None

    def logs(self, seq: int, upto_attempt: int, limit: int) -> list[LogRow]:
        return [LogRow(*row) for row in self._all("logs", (seq, upto_attempt, limit))]

    @property
    def log_bytes(self) -> int:
        return self._value("log_bytes") or 0

    def trim_logs(self, attempts: int) -> None:
        self._all("trim_logs", (attempts,))

    # what operators ask

    def count_ahead(self, lane: int, priority: int, seq: int, limit: int) -> int:
        given = {"lane": lane, "priority": priority, "seq": seq, "limit": limit}
        return int(self._all("count_ahead", given)[0][0])

    def window(self, before: int, limit: int, failures: bool) -> list[WindowRow]:
        return [WindowRow(*row) for row in self._all("window", (failures, before, limit))]

    def brief(self, seq: int) -> FullTask | None:
        rows = self._all("brief", (seq,))
        return FullTask(*rows[0]) if rows else None

    def oldest_ready(self, lane: int) -> int | None:
        rows = self._all("oldest_ready", {"lane": lane})
        return rows[0][0] if rows else None

    # the rest

    def add_lane(self, queue: str, task: str) -> int:
        return int(self._all("add_lane", (queue, task))[0][0])

    def add_origin(self, queue: str, results: str | None) -> int:
        return int(self._all("add_origin", (queue, results))[0][0])

    def orphan_origins(self, queue: str) -> None:
        self._all("orphan_origins", (queue,))

    def put_queue(self, name: str, paused: bool, reason: str, since: int | None) -> None:
        self._all("put_queue", (name, int(paused), reason, since))

    def put_worker(self, node: bytes, host: str, pid: int, now: int) -> int:
        return int(self._all("put_worker", (node, host, pid, now))[0][0])

    def forget_workers(self, seen_before: int) -> None:
        self._all("forget_workers", (seen_before,))

    def key_rows(self) -> list[KeyRow]:
        return [KeyRow(*row) for row in self._all("keys")]

    def put_key(self, row: KeyRow) -> None:
        self._all("put_key", row)

    def get_meta(self, name: str) -> bytes | None:
        rows = self._all("get_meta", (name,))
        return rows[0][0] if rows else None

    def set_meta(self, name: str, value: bytes) -> None:
        self._all("set_meta", (name, value))

    # the only three places that talk to SQLite while it serves

    def _run(self, sql: str, values: Any = ()) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except FAILURES as error:
            raise self._failed(error) from error

    def _failed(self, error: Trouble) -> StoreError:
        failure = store_error(error)
        if is_damage(error) and not self.damage:
            self.damage = str(failure)
            self._on_damage(self.damage)
        return failure

    def _all(self, name: str, values: Any = ()) -> list[Any]:
        return self._run(self._sql[name], values)

    def _many(self, name: str, rows: Sequence[Any]) -> int:
        if not rows:
            return 0
        try:
            return self._db.executemany(self._sql[name], rows).rowcount
        except FAILURES as error:
            raise self._failed(error) from error

    def _exactly(self, name: str, rows: Sequence[Any]) -> None:
        applied = self._many(name, rows)
        if applied != len(rows):
            raise Inconsistent(f"{name}: {applied} of {len(rows)} rows were as expected")

    def _value(self, name: str) -> int | None:
        value = self._all(name)[0][0]
        return None if value is None else int(value)


def _first(heads: list[tuple[int, int, int]], limit: int, bytes_max: int | None) -> list[int]:
    """Of ``(priority, seq, payload bytes)`` the seqs whose turn it is, up to both bounds."""
    heads.sort(key=lambda head: (-head[0], head[1]))
    chosen: list[int] = []
    size = 0
    for _, seq, payload_bytes in heads[:limit]:
        size += payload_bytes
        if chosen and bytes_max is not None and size > bytes_max:
            break
        chosen.append(seq)
    return chosen


def _configure(db: sqlite3.Connection, durability: str) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
    db.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    db.execute("PRAGMA temp_store = MEMORY")
    (level,) = db.execute("PRAGMA synchronous").fetchone()
    if level != SYNCHRONOUS[durability]:
        raise ConfigError(f"SQLite did not accept synchronous={SYNCHRONOUS[durability]}; it answers {level}")


def _migrate(db: sqlite3.Connection, path: Path | None) -> None:
    """Bring the schema to this version, one numbered file per transaction; refuse a newer one."""
    folder = resources.files(__package__).joinpath("migrations")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    (have,) = db.execute("PRAGMA user_version").fetchone()
    if have > len(files):
        raise ConfigError(
            f"the store {path} has schema version {have}, this tq-master knows {len(files)}; "
            "start the newer tq-master that wrote it, or another --data directory"
        )
    for number, file in enumerate(files[have:], start=have + 1):
        db.executescript(
            f"BEGIN IMMEDIATE; {file.read_text('utf-8')}; PRAGMA user_version = {number}; COMMIT"
        )
