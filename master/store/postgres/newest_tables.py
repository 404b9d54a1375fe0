"""The tables of the newest schema, without rows: made once in a process by all migrations, and copied into each working copy that begins empty."""

from __future__ import annotations

import sqlite3
import threading

from ..sqlite.space import INCREMENTAL
from ..sqlite.store import migrate
from .tables import KeptTable, tables_of


class NewestTables:
    """Used by the threads that open shards, several at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._tables: list[KeptTable] = []

    def copy_to(self, db: sqlite3.Connection) -> None:
        """``db``: has no tables."""
        with self._lock:
            self._made().backup(db)

    def tables(self) -> list[KeptTable]:
        with self._lock:
            if not self._tables:
                self._tables = tables_of(self._made())
            return self._tables

    def _made(self) -> sqlite3.Connection:
        if self._db is None:
            db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            db.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")  # it is a part of a file, and copied with it
            migrate(db, None)
            self._db = db
        return self._db


newest = NewestTables()
