"""What SQLite says when it fails, and what to do about it: for callers, for the log, for ``check`` and doctor."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from ....common.errors import StoreError, StoreFull
from ....common.runtime.callbacks import OUT_OF_MEMORY
from ..cluster_files import RESTORE

DAMAGED: Final = (
    "the file is damaged: stop the master and copy its directory; then either put a backup of tq.db back and remove tq.db-wal "
    'and tq.db-shm, or save what can be read: sqlite3 tq.db ".recover" | sqlite3 new.db, and put new.db in its place '
    "(docs/deployment.md, A damaged store); look at the disk, too (dmesg)"
)
CORRUPT, NOT_A_DATABASE = 11, 26  # SQLITE_CORRUPT, SQLITE_NOTADB; the lowest byte of a code is its kind


Trouble = sqlite3.Error | MemoryError
"""What the module raises; the second for SQLITE_NOMEM."""


def is_damage(error: Trouble) -> bool:
    code = getattr(error, "sqlite_errorcode", None)  # None: of the module itself
    return code is not None and code & 0xFF in (CORRUPT, NOT_A_DATABASE)


def why_not_open(path: Path | None, error: Trouble) -> str:
    if isinstance(error, MemoryError):
        return f"cannot open the store {path}: {OUT_OF_MEMORY}"
    if is_damage(error) and error.sqlite_errorcode != NOT_A_DATABASE:  # of that nothing could be recovered
        remedy = f"; {DAMAGED}"
    else:
        remedy = _remedy(str(error)) or f"; {RESTORE}, or choose another --data directory"
    return f"cannot open the store {path}: {error}{remedy}"


def store_error(error: Trouble) -> StoreError:
    if isinstance(error, MemoryError):
        return StoreError(OUT_OF_MEMORY)
    remedy = f"; {DAMAGED}" if is_damage(error) else _remedy(str(error))
    kind = StoreFull if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL else StoreError
    return kind(f"the store says: {error}{remedy}")


def _remedy(text: str) -> str:
    """For what is no damage of the file; empty when nothing is known."""
    if text == "disk I/O error":
        return _disk_remedy()
    return {
        "database or disk is full": "; free some space on the master's disk (a master that runs goes on by itself)",
        "attempt to write a readonly database": "; make the data directory writable",
    }.get(text, "")


def _disk_remedy() -> str:
    """What to look at: SQLite reports a limit of this process and a quota as it reports a broken disk."""
    look = "; look at its disk: space and quota (df, quota), and what the kernel says (dmesg)"
    try:
        from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit
    except ImportError:  # Windows
        return look
    limit, _ = getrlimit(RLIMIT_FSIZE)
    if limit == RLIM_INFINITY:
        return look
    return f"; files of this process may have {limit:,} bytes only: raise that (ulimit -f, LimitFSIZE=) and start it again"
