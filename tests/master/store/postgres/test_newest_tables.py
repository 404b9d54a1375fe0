"""The tables of a working copy that begins empty are those that the migrations make."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tq.master.store.postgres.newest_tables import NewestTables
from tq.master.store.postgres.tables import tables_of
from tq.master.store.sqlite.space import INCREMENTAL
from tq.master.store.sqlite.store import migrate, newest_schema


def schema(db: sqlite3.Connection) -> list[tuple[str, str]]:
    return db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def test_a_copy_has_what_the_migrations_make_its_version_and_its_mode(tmp_path: Path) -> None:
    newest = NewestTables()
    made, copied = (sqlite3.connect(tmp_path / name, isolation_level=None) for name in ("made", "copied"))
    try:
        migrate(made, None)
        copied.execute("PRAGMA journal_mode = WAL")
        newest.copy_to(copied)
        assert schema(copied) == schema(made)
        assert copied.execute("PRAGMA user_version").fetchone() == (newest_schema(),)
        assert copied.execute("PRAGMA auto_vacuum").fetchone() == (INCREMENTAL,)
        assert [one.name for one in newest.tables()] == [one.name for one in tables_of(made)]
        assert newest.tables() is newest.tables(), "read once"
    finally:
        made.close()
        copied.close()
