"""The file of a working copy: whether it still is what the database has, so that a start need not load everything.

It is written without waiting for the disk, since its truth is elsewhere. After a killed process it is whole, for the operating
system has it; after a power cut it may be anything. So it is used again if it says of itself that it is the copy of exactly the
last commit of exactly the last owner, and either this machine has not been started since it was opened, or it was closed in order,
which waits for the disk.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from ..sqlite.executor import FAILURES
from .shard import Ownership, ShardRow
from .tables import OWN

FILE: Final = "copy.db"
OWNER_FILE: Final = "copy.owner"
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
UNKNOWN_BOOT: Final = ""  # of a system that does not say it


class CopyRow(NamedTuple):
    """What a copy says of itself."""

    owner: str
    epoch: int
    last_commit: int
    boot: str
    closed: int


def boot_id() -> str:
    """Differs after each start of this machine."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return UNKNOWN_BOOT


def is_exact(path: Path, row: ShardRow | None, schema: int) -> bool:
    """``row``: the shard before it was claimed."""
    if row is None or not path.exists() or row.schema != schema:
        return False
    try:
        with closing(sqlite3.connect(path)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            found = CopyRow(
                *db.execute(f"SELECT owner, epoch, last_commit, boot, closed FROM {OWN}").fetchone()
            )
    except (sqlite3.Error, TypeError):  # it is something else, or has no such row
        return False
    is_whole = found.closed or (found.boot != UNKNOWN_BOOT and found.boot == boot_id())
    return bool(is_whole) and (version, *found[:3]) == (schema, row.owner, row.epoch, row.last_commit)


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def describe(db: sqlite3.Connection, held: Ownership) -> None:
    """In the copy: whose it is, and that it is open."""
    db.execute(
        f"CREATE TABLE IF NOT EXISTS {OWN} (owner TEXT NOT NULL, epoch INTEGER NOT NULL, last_commit INTEGER NOT NULL, "
        "boot TEXT NOT NULL, closed INTEGER NOT NULL)"
    )
    db.execute("BEGIN IMMEDIATE")
    db.execute(f"DELETE FROM {OWN}")
    db.execute(
        f"INSERT INTO {OWN} VALUES (?, ?, ?, ?, 0)", (held.owner, held.epoch, held.last_commit, boot_id())
    )
    db.execute("COMMIT")


def end_transaction(db: sqlite3.Connection) -> None:
    """Of a handle that failed, or is closed because no other could be opened: the next one writes, and would wait for it."""
    try:
        if db.in_transaction:
            db.execute("ROLLBACK")
    except FAILURES:  # no handle knows of itself that it is closed
        db.close()


def say_closed(db: sqlite3.Connection) -> None:
    """It is whole on the disk from here on. One that cannot be written says nothing: the next start loads everything."""
    with suppress(*FAILURES):
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute(f"UPDATE {OWN} SET closed = 1")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def last_owner(folder: Path) -> str | None:
    """Who this directory's master was at its last start."""
    with suppress(OSError):
        return (folder / OWNER_FILE).read_text().strip() or None
    return None


def keep_owner(folder: Path, owner: str) -> None:
    (folder / OWNER_FILE).write_text(f"{owner}\n")
