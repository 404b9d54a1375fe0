"""A store in memory for each test."""

from __future__ import annotations

from tq.master.store.sqlite.store import SqliteStore

from ..new_tables import copy_tables

copy_tables()


class NewStore(SqliteStore):
    """The shipped store in memory, empty."""

    def __init__(self) -> None:
        super().__init__(None, "memory")
