"""New stores without the work of making their tables: those are copied from one that the shipped migrations have made.

To run all migrations takes twenty milliseconds, more with each that is added, and the suite makes some thousands of stores. The programs that
``tests/cluster`` forks have it too; those that are started by exec, and stores that have content, run the migrations themselves.
"""

from __future__ import annotations

import functools
import sqlite3
from pathlib import Path
from typing import Final

import tq.master.store.postgres.newest_tables
import tq.master.store.sqlite.store
from tq.master.store.sqlite.store import migrate

BY_NAME: Final = (
    tq.master.store.sqlite.store,
    tq.master.store.postgres.newest_tables,
)  # who has `migrate` as a name


@functools.cache
def template(files: tuple[object, ...], auto_vacuum: int) -> sqlite3.Connection:
    """The tables of a new store, as these migrations make them. The mode is a property of a file, and copied with its tables."""
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.execute(f"PRAGMA auto_vacuum = {auto_vacuum}")
    migrate(db, None)
    return db


def copied(db: sqlite3.Connection, path: Path | None, upto: int | None = None) -> None:
    """In place of ``migrate``."""
    (have,) = db.execute("PRAGMA user_version").fetchone()
    (rows,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    files = tuple(tq.master.store.sqlite.store._files())
    if have or rows or upto not in (None, len(files)):
        migrate(db, path, upto)
        return
    (mode,) = db.execute("PRAGMA auto_vacuum").fetchone()
    template(files, mode).backup(db)


def copy_tables() -> None:
    """In this process, from now on."""
    for module in BY_NAME:
        assert vars(module)["migrate"] in (migrate, copied)
        setattr(module, "migrate", copied)  # noqa: B010 - a name that mypy knows as a function
    files = tuple(tq.master.store.sqlite.store._files())
    for mode in (0, tq.master.store.sqlite.store.INCREMENTAL):
        template(files, mode)
