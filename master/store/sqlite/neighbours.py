"""Reads the stores of shards that other processes of this host have open: their rows for shards of this one.

::

    a row is committed ─► in the log beside the file, which any connection reads ─► read-only, in a transaction of its own

A connection sees what was synced: with ``--durability fsync`` SQLite shows a commit to others when the disk has it.

A store may be another one since the last look: restored while its process was away, as another file or into the same. What the former one said is
not true any more, so a connection is used for the file that it was opened for, and only for a moment.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from ..interface.edges import EdgeRow
from ..neighbours import ROWS_BYTES_MAX, ROWS_MAX, EdgesSeen, EdgesWanted, NeighboursSeen
from .remedies import why_not_open

BUSY_SECONDS: Final = 0.5  # for a store whose log is being read after a crash
OPEN_SECONDS_MAX: Final = 2.0  # to open it again takes a millisecond, and a restore longer than this
OPEN_MAX: Final = 64  # files; of a cluster of thousands of shards not all are kept open
ROWS: Final = (
    "SELECT number, kind, body FROM edges_out WHERE to_shard = ? AND number > ? ORDER BY number LIMIT ?"
)
APPLIED: Final = "SELECT number FROM edges_in WHERE of_shard = ?"


class _Open(NamedTuple):
    db: sqlite3.Connection
    file: tuple[int, int]  # device and inode
    until: float


class NeighbourFiles:
    """``file_of``: the store of a shard. ``seconds``: a monotonic clock."""

    def __init__(self, file_of: Callable[[int], Path], seconds: Callable[[], float] = time.monotonic) -> None:
        self._file_of, self._seconds = file_of, seconds
        self._open: dict[int, _Open] = {}

    def read(self, wants: Sequence[EdgesWanted]) -> NeighboursSeen:
        seen: list[EdgesSeen] = []
        away: dict[int, str | None] = {}
        by_shard: dict[int, list[EdgesWanted]] = {}
        for want in wants:
            by_shard.setdefault(want.of_shard, []).append(want)
        for shard, some in by_shard.items():
            try:
                seen += self._read(shard, some)
            except (sqlite3.Error, OSError) as error:
                self._close(shard)
                away[shard] = _reason(self._file_of(shard), error)
        return NeighboursSeen(seen, away)

    def rest(self) -> None:
        for shard in list(self._open):
            self._close(shard)

    def _read(self, shard: int, wants: Sequence[EdgesWanted]) -> list[EdgesSeen]:
        db = self._connection(shard)
        db.execute("BEGIN")
        try:
            return [_seen(db, want) for want in wants]
        finally:
            db.execute("ROLLBACK")  # a log that is read cannot be written into the file

    def _connection(self, shard: int) -> sqlite3.Connection:
        path = self._file_of(shard)
        status = os.stat(path)
        file = (status.st_dev, status.st_ino)
        known = self._open.get(shard)
        if known is not None and known.file == file and self._seconds() < known.until:
            return known.db
        self._close(shard)
        if len(self._open) >= OPEN_MAX:
            self._close(next(iter(self._open)))
        db = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=ro",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # one at a time all the same
        )
        self._open[shard] = _Open(db, file, self._seconds() + OPEN_SECONDS_MAX)
        return db

    def _close(self, shard: int) -> None:
        known = self._open.pop(shard, None)
        if known is not None:
            with suppress(sqlite3.Error):
                known.db.close()


def _seen(db: sqlite3.Connection, want: EdgesWanted) -> EdgesSeen:
    applied = db.execute(APPLIED, (want.shard,)).fetchone()
    rows: list[EdgeRow] = []
    left = ROWS_BYTES_MAX
    for row in map(EdgeRow._make, db.execute(ROWS, (want.shard, want.after, ROWS_MAX))):
        rows.append(row)
        left -= len(row.body)
        if left <= 0:
            break
    return EdgesSeen(want.shard, want.of_shard, rows, 0 if applied is None else applied[0])


def _reason(path: Path, error: Exception) -> str | None:
    if isinstance(error, sqlite3.Error):
        return None if "no such table" in str(error) else why_not_open(path, error)
    return f"{path}: {error.strerror if isinstance(error, OSError) else error}"
