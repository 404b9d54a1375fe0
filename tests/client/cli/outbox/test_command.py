"""What is typed: refused before anything is opened, with the line to write."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tq.client.cli import main
from tq.client.outbox.table import postgres_ddl, sqlite_ddl

from .conftest import new_row, sqlite_program


def run(*words: str, **environment: str) -> Result:
    return CliRunner(env={"TQ_URL": "tq://127.0.0.1:1", "TQ_AUTHKEY": "0" * 32, **environment}).invoke(
        main, ["outbox", *words]
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["init"], "Missing option '--database'"),
        (["init", "--database", "mysql://db/app"], "an outbox is in PostgreSQL or SQLite"),
        (["init", "--database", "postgresql://me:word@db/app"], "stands in the list of processes"),
        (["status", "--database", "typo.db"], "there is no file typo.db"),
        (["status", "--database", "app.db", "--schema", "jobs"], "--schema jobs is of PostgreSQL"),
        (["status", "--database", "postgresql:///x", "--schema", "a b"], "is no name of a schema"),
        (["run", "--database", "app.db", "--batch", "0"], "--batch 0: from 1 to 1000"),
        (["run", "--database", "app.db", "--poll", "0s"], "--poll 0s: longer than 0"),
        (["run", "--database", "app.db", "--keep", "99d"], "--keep 99d: at most 31d"),
        (
            ["retry", "--database", "app.db"],
            "say which rows: their ids, as tq outbox status shows them, or --all",
        ),
        (["retry", "--all", "12", "--database", "app.db"], "say which rows"),
        (["discard", "12", "--database", "app.db"], "'12' is not a row id"),
        (["stauts"], "did you mean status?"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert done.exit_code == 2
    assert why in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == []


def test_the_sql_is_printed_for_migrations_and_nothing_is_opened() -> None:
    assert run(
        "init", "--sql", "--database", "postgresql://nowhere.example/x", "--schema", "jobs"
    ).output == postgres_ddl("jobs")
    assert run("init", "--sql", "--database", "sqlite:///nowhere.db").output == sqlite_ddl()
    without = run("init", "--sql", "--no-notify", "--database", "postgresql:///x").output
    assert without == postgres_ddl(None, notifies=False)


def test_the_address_may_stand_in_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    assert run("init", TQ_OUTBOX_DATABASE=str(path)).output == f"sqlite:///{path} has the table tq_outbox\n"
    assert run("status", TQ_OUTBOX_DATABASE=str(path)).output == "waiting 0, set aside 0\n"


def test_rows_that_were_set_aside_are_shown_tried_again_and_discarded(tmp_path: Path) -> None:
    program = sqlite_program(tmp_path / "app.db")
    first, second = program.insert(new_row("mail"), new_row("payroll"))
    database = program.open()
    database.settle([], [(row.position, "Forbidden: why") for row in database.claim(9, (), ())])
    database.close()
    where = ["--database", program.shown]
    shown = run("status", *where).output
    assert "waiting 0, set aside 2\n" in shown
    assert "payroll  m:f       1  Forbidden: why" in shown
    assert run("status", "--limit", "1", *where).output.count("Forbidden") == 1
    assert run("retry", first.hex(), *where).output == "1 row to hand over again\n"
    assert run("discard", second.hex(), *where).output == "1 row deleted\n"
    assert run("status", *where).output.startswith("waiting 1 (the oldest for ")


def test_a_database_without_the_table_is_said(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    sqlite3.connect(path).close()
    path.touch()
    done = run("status", "--database", str(path))
    assert done.exit_code == 2
    assert f"make it: tq outbox init --database sqlite:///{path}" in done.output
