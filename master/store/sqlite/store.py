"""The embedded store: one SQLite file, write-ahead log, every commit synced unless asked otherwise.

Owns the file, its transactions and the schema's migrations; each subject has a file beside this one, with its statements in
``sql/``. Decides nothing. ``memory`` is the same code on ``:memory:``, so that there is no second store to keep honest.

Two facts about SQLite that this file stands on: in WAL mode only ``synchronous=FULL`` syncs on every
commit (NORMAL syncs at checkpoints only), so FULL is set and read back; and after an I/O error on commit
it is not known what reached the disk, so that handle is never used again (``reopen``).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from ....common.domain.lifecycle import may_begin
from ....common.errors import ConfigError, StoreError
from ..interface.routes import QueueRow
from ..interface.store import Picture, RunningRow
from .attempt_output import SqliteOutput
from .audit import SqliteAudit
from .blobs import SqliteBlobs
from .counts import SqliteCounts
from .data import SqliteData
from .dependencies import SqliteBlocked, SqliteDependencies
from .edges import SqliteEdges
from .ended import SqliteEnded
from .executor import FAILURES
from .flows import SqliteFlows
from .items import SqliteItems
from .keys import SqliteKeys
from .limits import SqliteLimits
from .lines import SqliteLines
from .locks import SqliteLocks
from .outbox import SqliteOutbox
from .queries import SqliteQueries
from .remedies import why_not_open
from .retention import SqliteRetention
from .routes import SqliteRoutes
from .schedules import SqliteSchedules
from .series import SqliteSeries
from .slice_views import SliceViews
from .slices import SqliteSlices
from .space import INCREMENTAL, SqliteSpace
from .statements import load_statements
from .steps import SqliteSteps
from .strikes import SqliteStrikes
from .tasks import SqliteTasks
from .tenants import SqliteTenants
from .unhandled import SqliteUnhandled
from .uniques import SqliteUniques
from .workers import SqliteWorkers

SQLITE_VERSION_MIN: Final = (3, 35, 0)  # RETURNING
CACHE_KIBIBYTES: Final = 32 * 1024  # the pages of the hot ends of the tables and indexes
STATEMENTS_CACHED: Final = 256  # more than there are
WAITING_COUNTS: Final = (
    "count_ready",
    "count_scheduled",
    "count_slices_waiting",
    "count_blocked",
    "count_slices_blocked",
)
LOG_INTO_FILE: Final = "PRAGMA wal_checkpoint(TRUNCATE)"
SYNCHRONOUS: Final = {
    "fsync": 2,
    "os": 0,
    "memory": 0,
}  # FULL; OFF: the operating system writes when it likes


def make_private(file: Path) -> None:
    """A new store is for its owner only, whatever the mask of this process; SQLite makes the files beside it as this one is."""
    # That it is there, or cannot be made: SQLite says what is wrong. One that is there is not opened, for to close it would take the locks
    # of all connections of this process away.
    with contextlib.suppress(OSError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


class SqliteStore(
    SqliteTasks,
    SqliteBlocked,
    SqliteRetention,
    SqliteQueries,
    SqliteLines,
    SqliteOutput,
    SqliteRoutes,
    SqliteWorkers,
    SqliteKeys,
    SqliteStrikes,
    SqliteTenants,
    SqliteSpace,
):
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
        self._db = self._open()
        self.counts = SqliteCounts(self._all, self._many, self._exactly)
        self.steps = SqliteSteps(self._all, self._many, self._exactly)
        self.slices = SqliteSlices(self._all, self._many, self._exactly, self.counts)
        self.views = SliceViews(self.slices, self._all)
        self.blobs = SqliteBlobs(self._all, self._many, self._exactly)
        self.items = SqliteItems(self._all, self._many, self._exactly)
        self.locks = SqliteLocks(self._all, self._many, self._exactly)
        self.data = SqliteData(self._all, self._many, self._exactly)
        self.dependencies = SqliteDependencies(self._all, self._many, self._exactly)
        self.edges = SqliteEdges(self._all, self._many, self._exactly)
        self.schedules = SqliteSchedules(self._all, self._many, self._exactly)
        self.limits = SqliteLimits(self._all, self._many, self._exactly)
        self.flows = SqliteFlows(self._all, self._many, self._exactly)
        self.unhandled = SqliteUnhandled(self._all, self._many, self._exactly)
        self.series = SqliteSeries(self._all, self._many, self._exactly)
        self.ended = SqliteEnded(self.slices, self._all, self._many, self._exactly)
        self.audit = SqliteAudit(self._all, self._many, self._exactly)
        self.uniques = SqliteUniques(self._all, self._many, self._exactly)
        self.outbox = SqliteOutbox(self._all, self._many, self._exactly)

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except FAILURES as error:
            raise ConfigError(why_not_open(self._path, error)) from error

    def _connect(self) -> sqlite3.Connection:
        if self._path is not None:
            make_private(self._path)
        db = sqlite3.connect(
            self._path or ":memory:",
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS_CACHED,
        )
        try:
            if self._is_new_file():
                db.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
            _configure(db, self._durability)
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Of a handle that was opened: its tables are those of this version."""
        migrate(db, self._path)

    def _is_new_file(self) -> bool:
        """Of another the mode stays, and only to ask for it takes a lock, which a handle that failed may have."""
        return self._path is not None and not (self._path.exists() and self._path.stat().st_size)

    # transactions

    @property
    def away(self) -> str:
        return ""

    @property
    def recovering(self) -> str:
        return ""

    @property
    def is_certain(self) -> bool:
        return True

    @property
    def changed(self) -> bool:
        has_begun = self._to_begin is None
        # Pages that were given back change no row, and ``total_changes`` counts rows.
        return has_begun and (self._has_given_back or self._db.total_changes != self._changes_before)

    @property
    def in_transaction(self) -> bool:
        return self._to_begin is not None or self._db.in_transaction

    def begin(self, *, reading: bool = False, at_once: bool = False) -> None:
        self._to_begin = "BEGIN" if reading else "BEGIN IMMEDIATE"
        if at_once:
            self._start()
        self._has_given_back = False

    def commit(self) -> None:
        self.counts.write()
        if self._to_begin is not None:  # nothing was asked of it
            self._to_begin = None
            return
        # If SQLite has ended the transaction by itself, this is an error: nothing is said to be durable that is lost.
        self._run("COMMIT")
        self.counts.committed()
        if self._has_given_back:
            self._has_given_back = False
            # The file ends where it should once the log is written into it. The transaction is durable: that this fails says
            # nothing about it, and the next one that the log is too long for tries again.
            with suppress(StoreError):
                self._all("checkpoint")

    def rollback(self) -> None:
        self.slices.forget()
        self.counts.forget()
        self._has_given_back, self._to_begin = False, None
        if self._db.in_transaction:
            self._run("ROLLBACK")

    def reopen(self) -> None:
        if self._path is None:  # an in-memory database has no disk that could have failed
            self.rollback()
            return
        self.slices.forget()
        self.counts.forget()
        self._to_begin = None
        try:
            # The new one first: the last handle that is closed takes the shared index of the log with it, and to make another
            # takes a write, so that a full disk could not even be read. If none can be opened, the failed one is closed all the
            # same: every use of it is an error.
            failed = self._db
            try:
                self._db = self._connect()
            finally:
                failed.close()
        except FAILURES as error:
            raise self._failed(error) from error

    def close(self) -> None:
        if self._path is not None:
            # SQLite does it for the last one that closes the file, and a neighbour that reads it (neighbours.py) may close it later.
            with suppress(*FAILURES):
                self._db.execute(LOG_INTO_FILE)
        self._db.close()

    def load(self) -> Picture:
        count = Counter({(row.route, row.state): row.tasks for row in self.counts.read()})
        for name in WAITING_COUNTS:
            for route, state, tasks in self._all(name):
                count[route, state] += tasks
        return Picture(
            routes=self._all("routes"),
            queues=list(map(QueueRow._make, self._all("queues"))),
            counts=[(*key, tasks) for key, tasks in count.items()],
            running=[RunningRow(*row) for row in self._all("running")],
            slices=self.slices.running(),
            workers=self._all("workers"),
            origins=self._all("origins"),
            last_seq=max(self._all("last_seq")[0][0], self._all("last_slice_stop")[0][0] - 1),
        )

    def get_meta(self, name: str) -> bytes | None:
        rows = self._all("get_meta", (name,))
        return rows[0][0] if rows else None

    def set_meta(self, name: str, value: bytes) -> None:
        self._all("set_meta", (name, value))


def _configure(db: sqlite3.Connection, durability: str) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
    db.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
    db.execute("PRAGMA temp_store = MEMORY")
    (level,) = db.execute("PRAGMA synchronous").fetchone()
    if level != SYNCHRONOUS[durability]:
        raise ConfigError(f"SQLite did not accept synchronous={SYNCHRONOUS[durability]}; it answers {level}")


def _files() -> list[Traversable]:
    folder = resources.files(__package__).joinpath("migrations")
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )


def newest_schema() -> int:
    """The number of the last migration, which is the version of the schema."""
    return len(_files())


def migrate(db: sqlite3.Connection, path: Path | None, upto: int | None = None) -> None:
    """Bring the schema to this version, or one before it; refuse a newer one. A store with content is changed by one numbered file per transaction,
    which bounds its log; an empty one is made in a single transaction, with one sync of the disk in place of one for each."""
    files = _files()
    (have,) = db.execute("PRAGMA user_version").fetchone()
    if have > len(files):
        raise ConfigError(
            f"the store {path} has schema version {have}, this tq-master knows {len(files)}; "
            "start the newer tq-master that wrote it, or another --data directory"
        )
    steps = [
        f"{file.read_text('utf-8')}; PRAGMA user_version = {number};"
        for number, file in enumerate(files[have:upto], start=have + 1)
    ]
    # The number is written with the step, in one transaction: a start that is killed goes on with the next one.
    for script in steps if have else ["".join(steps)]:
        db.executescript(f"BEGIN IMMEDIATE; {script} COMMIT")
