"""Writes a store's file again without what is unused in it, while no master uses it.

::

    tq.db, tq.db-wal ─► the log is written into the file, and removed
                        └─► VACUUM INTO tq.db.compact ─► checked ─► synced ─► renamed to tq.db ─► the directory is synced

A process that dies in between leaves the old file or the new one, whole, under its name. The log must be gone before the renaming:
beside another file it would be taken for that one's. What is left of a copy is removed by the next start.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from ....common.errors import ConfigError
from .counts import count_again, has_counts
from .executor import FAILURES
from .remedies import DAMAGED, why_not_open
from .space import INCREMENTAL

SPARE_BYTES: Final = 16 * 1024 * 1024  # left free beside the copy, for the log and for others
SPARE_SHARE: Final = 0.02  # of the copy: it is estimated by the pages in use


class Compaction(NamedTuple):
    before_bytes: int
    after_bytes: int


def copy_of(file: Path) -> Path:
    """Where the file is written again."""
    return file.with_name(f"{file.name}.compact")


def compact(file: Path, log_is_written: Callable[[], None]) -> Compaction:
    """The caller holds the directory's lock. ``log_is_written``: from now on the file has everything. Raises ConfigError with the
    reason and what to do; then the file is as it was."""
    copy = copy_of(file)
    copy.unlink(missing_ok=True)
    try:
        before = _copy(file, copy, log_is_written)
        log = file.with_name(f"{file.name}-wal")
        if log.exists():
            raise ConfigError(
                f"{log} is still in use: a program has {file.name} open; end it (a backup, sqlite3), then compact again"
            )
        _sync(copy)
        after = copy.stat().st_size
        copy.replace(file)
        # A rename is durable with its directory: after a power cut the old file would stand beside a log that is of the new one.
        _sync(file.parent)
    except FAILURES as error:
        raise ConfigError(why_not_open(file, error)) from error
    finally:
        copy.unlink(missing_ok=True)
    return Compaction(before, after)


def _copy(file: Path, copy: Path, log_is_written: Callable[[], None]) -> int:
    """Returns how many bytes the file had."""
    db = sqlite3.connect(file, isolation_level=None)
    try:
        if has_counts(db):
            count_again(db)
        (busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise ConfigError(
                f"{file} is read by another program; end it (a backup, sqlite3), then compact again"
            )
        log_is_written()
        before = file.stat().st_size
        _check_room(db, file)
        db.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")  # of the copy
        os.close(
            os.open(copy, os.O_CREAT | os.O_EXCL, file.stat().st_mode & 0o777)
        )  # SQLite would let others read it
        db.execute("VACUUM INTO ?", (str(copy),))
        _check(copy)
    finally:
        db.close()  # removes the log
    return before


def _check_room(db: sqlite3.Connection, file: Path) -> None:
    page_bytes, pages, unused = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count", "freelist_count")
    )
    wanted = int((pages - unused) * page_bytes * (1 + SPARE_SHARE)) + SPARE_BYTES
    free = shutil.disk_usage(file.parent).free
    if free < wanted:
        raise ConfigError(
            f"{file.parent} has {free / 1e6:,.0f} MB free, and {file.name} is written again beside itself, which takes "
            f"{wanted / 1e6:,.0f} MB; free some space there. A master that runs gives unused space back without a copy, "
            "if its store was made by this version of tq, or was compacted once"
        )


def _check(copy: Path) -> None:
    db = sqlite3.connect(copy)
    try:
        [(found,)] = db.execute("PRAGMA quick_check(1)").fetchall()
    finally:
        db.close()
    if found != "ok":
        raise ConfigError(f"the copy {copy} is not whole ({found}), and was not used; {DAMAGED}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
