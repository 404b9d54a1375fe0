"""What is of SQLite alone: a claim holds no lock that a program would meet."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tq.client.cli.outbox import sqlite as module
from tq.client.cli.outbox.database import DatabaseLost
from tq.client.outbox.outbox import DatabaseOutbox

from .conftest import new_row, sqlite_program


def test_a_program_writes_while_a_relay_asks_the_master(tmp_path: Path) -> None:
    program = sqlite_program(tmp_path / "app.db")
    program.insert(new_row())
    relay = program.open()
    [row] = relay.claim(10, (), ())
    db = sqlite3.connect(tmp_path / "app.db", timeout=0)
    DatabaseOutbox(db).write([new_row()])
    db.commit()
    relay.settle([row.position], [])
    assert relay.counts()[:3:2] == (1, 1)
    relay.close()
    db.close()


def test_a_program_that_writes_for_too_long_is_said_and_the_row_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    program = sqlite_program(tmp_path / "app.db")
    program.insert(new_row())
    relay = program.open()
    [row] = relay.claim(10, (), ())
    db = sqlite3.connect(tmp_path / "app.db")
    db.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseLost, match="database is locked"):
        relay.settle([row.position], [])
    db.rollback()
    assert [one.position for one in relay.claim(10, (), ())] == [row.position]
    relay.close()
    db.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "text"},
        {"id": b"short"},
        {"queue": b"q"},
        {"task": b"m:f"},
        {"tasks": "many"},
        {"body": "text"},
    ],
)
def test_a_row_with_a_value_of_another_type_is_refused_where_it_is_written(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    program = sqlite_program(tmp_path / "app.db")
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
        program.insert(new_row()._replace(**wrong))  # type: ignore[arg-type]
