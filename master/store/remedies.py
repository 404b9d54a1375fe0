"""What SQLite says when it fails, and what to do about it: for callers, for the log, for ``check``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ...common.errors import StoreError


def why_not_open(path: Path | None, error: sqlite3.Error) -> str:
    return (
        f"cannot open the store {path}: {error}; restore it from a copy, or choose another --data directory"
    )


def store_error(error: sqlite3.Error | MemoryError) -> StoreError:
    if isinstance(error, MemoryError):
        return StoreError("the store has no memory left; give the master's host or container more")
    text = str(error)
    if text == "disk I/O error":
        return StoreError(f"the store says: {text}{_disk_remedy()}")
    remedy = {
        "database or disk is full": "; free some space on the master's disk, it goes on by itself",
        "attempt to write a readonly database": "; make the data directory writable",
    }.get(text, "")
    return StoreError(f"the store says: {text}{remedy}")


def _disk_remedy() -> str:
    """What to look at: SQLite tells a limit of this process and a quota as it tells a broken disk."""
    look = "; look at its disk: space and quota (df, quota), and what the kernel says (dmesg)"
    try:
        from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit
    except ImportError:  # Windows
        return look
    limit, _ = getrlimit(RLIMIT_FSIZE)
    if limit == RLIM_INFINITY:
        return look
    return f"; files of this process may have {limit:,} bytes only: raise that (ulimit -f, LimitFSIZE=) and start it again"
