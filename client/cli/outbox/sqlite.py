"""An outbox in SQLite.

A claim holds no transaction, which would keep the program from writing while the master is asked. It holds a lock of a file beside the
database, which the system gives back when the relay dies; so relays of one database take turns.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from ....common.errors import ConfigError
from ...outbox.table import REFUSED, SENT, TABLE, WAITING, sqlite_ddl
from .database import ClaimedRow, DatabaseLost, OutboxCounts, OutboxMissing, RefusedRow, SentRow

BUSY_SECONDS: Final = 30.0  # so long a program may hold the lock of writers
LOOK_SECONDS: Final = 0.05  # between two looks whether a program has written
LOCK_SUFFIX: Final = "-tq-outbox"
VALUES_MAX: Final = 500  # in one statement


class SqliteOutboxTable:
    """``stopped``: set when the relay is to end, which ends a wait."""

    def __init__(
        self,
        path: str,
        *,
        makes: bool = False,
        stopped: threading.Event | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.shown, self._clock = f"sqlite:///{path}", clock
        self._stopped = stopped or threading.Event()
        self._version = 0
        if not Path(path).exists() and not makes:
            raise ConfigError(
                f"there is no file {path}; write the path of the database that your program writes to"
            )
        try:
            uri = f"{Path(path).absolute().as_uri()}?mode={'rwc' if makes else 'rw'}"
            self._db = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            # The mark that a row is sent must outlive a loss of power: the master forgets the row after it.
            self._db.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise ConfigError(f"{path} cannot be opened as a database of SQLite: {error}") from error
        self._lock = os.open(path + LOCK_SUFFIX, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    def make(self, *, notifies: bool) -> None:
        with self._errors():
            self._db.executescript(sqlite_ddl())

    def claim(self, limit: int, queues: Collection[str], positions: Collection[int]) -> list[ClaimedRow]:
        if not self._locks():
            return []
        with self._errors():
            # Before the look: what is written after it ends the wait that follows.
            [(self._version,)] = self._db.execute("PRAGMA data_version")
            rows = self._db.execute(
                f"SELECT position, id, queue, task, body FROM {TABLE} WHERE state = ? AND NOT queue IN ({_marks(queues)}) "
                f"AND NOT position IN ({_marks(positions)}) ORDER BY position LIMIT ?",
                (WAITING, *queues, *positions, limit),
            ).fetchall()
        if not rows:
            self.release()
        return [ClaimedRow(*row) for row in rows]

    def settle(self, sent: Sequence[int], refused: Sequence[tuple[int, str]]) -> None:
        now = self._clock()
        changes = [
            *((SENT, now, None, position) for position in sent),
            *((REFUSED, now, reason, position) for position, reason in refused),
        ]
        with self._written():
            self._db.executemany(
                f"UPDATE {TABLE} SET state = ?, moment = ?, reason = ? WHERE position = ? AND state = '{WAITING}'",
                changes,
            )
        self.release()

    def take_sent(self, seconds: float, limit: int) -> list[SentRow]:
        if not self._locks():
            return []
        with self._errors():
            rows = self._db.execute(
                f"SELECT position, id FROM {TABLE} WHERE state = ? AND moment <= ? ORDER BY moment LIMIT ?",
                (SENT, self._clock() - seconds, limit),
            ).fetchall()
        if not rows:
            self.release()
        return [SentRow(*row) for row in rows]

    def delete(self, positions: Sequence[int]) -> None:
        with self._written():
            self._db.executemany(
                f"DELETE FROM {TABLE} WHERE position = ? AND state = '{SENT}'",
                [(one,) for one in positions],
            )
        self.release()

    def release(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stopped.wait(min(left, LOOK_SECONDS)):
            with self._errors():
                if self._db.execute("PRAGMA data_version").fetchone() != (self._version,):
                    return

    def counts(self) -> OutboxCounts:
        with self._errors():
            found = dict(self._db.execute(f"SELECT state, count(*) FROM {TABLE} GROUP BY state"))
            [(oldest,)] = self._db.execute(
                f"SELECT min(created) FROM {TABLE} WHERE state = ?",
                (WAITING,),
            )
        return OutboxCounts(found.get(WAITING, 0), oldest, found.get(SENT, 0), found.get(REFUSED, 0))

    def refused(self, limit: int) -> list[RefusedRow]:
        with self._errors():
            rows = self._db.execute(
                f"SELECT id, created, queue, task, tasks, reason FROM {TABLE} WHERE state = ? ORDER BY position DESC LIMIT ?",
                (REFUSED, limit),
            ).fetchall()
        return [RefusedRow(*row) for row in rows]

    def retry(self, ids: Sequence[bytes] | None, *, sent: bool) -> int:
        change = f"UPDATE {TABLE} SET state = '{WAITING}', moment = NULL, reason = NULL"
        return self._changed(change, SENT if sent else REFUSED, ids)

    def discard(self, ids: Sequence[bytes] | None) -> int:
        return self._changed(f"DELETE FROM {TABLE}", REFUSED, ids)

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    def _changed(self, change: str, state: str, ids: Sequence[bytes] | None) -> int:
        with self._written():
            if ids is None:
                return self._db.execute(f"{change} WHERE state = ?", (state,)).rowcount
            portions = [ids[start : start + VALUES_MAX] for start in range(0, len(ids), VALUES_MAX)]
            return sum(
                self._db.execute(
                    f"{change} WHERE state = ? AND id IN ({_marks(some)})", (state, *some)
                ).rowcount
                for some in portions
            )

    def _locks(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another relay is at work
            return False
        return True

    @contextmanager
    def _written(self) -> Iterator[None]:
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            self.release()
            if "no such table" in str(error):
                raise OutboxMissing(
                    f"{self.shown} has no table {TABLE}; make it: tq outbox init --database {self.shown}"
                ) from error
            raise DatabaseLost(f"{self.shown}: {error}") from error


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))
