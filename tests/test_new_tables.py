"""A store whose tables are copied is as one that has run the migrations."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tq.master.store.sqlite.store import SqliteStore

from .new_tables import migrate

PRAGMAS = ("user_version", "auto_vacuum", "journal_mode", "page_size", "encoding", "page_count")


def shown(path: Path) -> list[Any]:
    """All that a file has, the order of its tables and indexes included: by that SQLite chooses among equal plans."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        tables = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid").fetchall()
        rows = {
            name: db.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 - our own names
            for kind, name, *_ in tables
            if kind == "table"
        }
        return [tables, rows, [db.execute(f"PRAGMA {name}").fetchone() for name in PRAGMAS]]


def test_a_file_with_copied_tables_is_as_one_that_has_run_the_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SqliteStore(tmp_path / "copied.db").close()
    monkeypatch.setattr("tq.master.store.sqlite.store.migrate", migrate)
    SqliteStore(tmp_path / "migrated.db").close()
    assert shown(tmp_path / "copied.db") == shown(tmp_path / "migrated.db")
    assert len(shown(tmp_path / "copied.db")[0]) > 50
