"""A store in memory for each test, without the work of making its tables each time."""

from __future__ import annotations

import functools
import sqlite3

from tq.master.store.sqlite import store as shipped
from tq.master.store.sqlite.store import SqliteStore


@functools.cache
def _template() -> sqlite3.Connection:
    """The tables of a new store, as its migrations make them. To run all of those takes twenty times as long as to copy these."""
    return SqliteStore(None, "memory")._db


class NewStore(SqliteStore):
    """The shipped store in memory, empty; only its tables come from the template."""

    def __init__(self) -> None:
        super().__init__(None, "memory")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            ":memory:",
            isolation_level=None,
            check_same_thread=False,
            cached_statements=shipped.STATEMENTS_CACHED,
        )
        shipped._configure(db, self._durability)
        _template().backup(db)
        return db
