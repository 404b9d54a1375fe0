"""Which connections of which drivers an outbox is written over: each commits and rolls back what was submitted with its own rows."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiosqlite
import psycopg
import pytest
import sqlalchemy
from psycopg import sql
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from tq.client.outbox.outbox import DatabaseOutbox, as_outbox
from tq.client.outbox.table import NewRow, postgres_ddl, sqlite_ddl
from tq.common.errors import InvalidArgument

_schemas = itertools.count(1)
ROWS = [NewRow(bytes([number]) * 16, "q", "m:f", 1, b"body") for number in range(1, 4)]
Count = Callable[[], int]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    db = sqlite3.connect(path)
    db.executescript(sqlite_ddl())
    db.close()
    return path


@pytest.fixture
def count(path: Path) -> Count:
    """How many rows are committed."""

    def count() -> int:
        db = sqlite3.connect(path)
        [(rows,)] = db.execute("SELECT count(*) FROM tq_outbox")
        db.close()
        return int(rows)

    return count


@pytest.fixture
def schema(postgres_address: str) -> str:
    schema = f"of_drivers_{next(_schemas)}"
    with psycopg.connect(postgres_address) as db:
        db.execute(postgres_ddl(schema).encode())
    return schema


@pytest.fixture
def count_in(postgres_address: str, schema: str) -> Count:
    count_sql = sql.SQL("SELECT count(*) FROM {}.tq_outbox").format(sql.Identifier(schema))

    def count() -> int:
        with psycopg.connect(postgres_address) as db:
            row = db.execute(count_sql).fetchone()
        assert row is not None
        return int(row[0])

    return count


def commits_and_rolls_back(connection: Any, given: Any, count: Count) -> None:
    outbox = as_outbox(given)
    outbox.write(ROWS[:1])
    connection.rollback()
    assert count() == 0
    outbox.write(ROWS[:2])
    outbox.write([])
    assert count() == 0, "before the commit no one sees it"
    connection.commit()
    assert count() == 2


@pytest.mark.parametrize("given", [lambda db: db, lambda db: db.cursor(), DatabaseOutbox])
def test_sqlite3(path: Path, count: Count, given: Callable[[Any], Any]) -> None:
    db = sqlite3.connect(path)
    commits_and_rolls_back(db, given(db), count)
    db.close()


@pytest.mark.parametrize("given", [lambda db: db, lambda db: db.cursor()])
def test_psycopg(postgres_address: str, schema: str, count_in: Count, given: Callable[[Any], Any]) -> None:
    with psycopg.connect(postgres_address) as db:
        commits_and_rolls_back(db, DatabaseOutbox(given(db), schema), count_in)


def test_a_cursor_in_the_midst_of_a_select_goes_on(path: Path) -> None:
    db = sqlite3.connect(path)
    cursor = db.execute("SELECT 1 UNION SELECT 2")
    assert cursor.fetchone() == (1,)
    DatabaseOutbox(cursor).write(ROWS)
    assert cursor.fetchone() == (2,)
    db.close()


def test_sqlalchemy_with_sqlite(path: Path, count: Count) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        commits_and_rolls_back(connection, connection, count)
    engine.dispose()


@pytest.mark.parametrize("kind", ["connection", "session", "scoped"])
def test_sqlalchemy_with_postgresql(postgres_address: str, schema: str, count_in: Count, kind: str) -> None:
    engine = sqlalchemy.create_engine(postgres_address.replace("postgresql:", "postgresql+psycopg:"))
    made: Any = {
        "connection": engine.connect,
        "session": lambda: Session(engine),
        "scoped": lambda: scoped_session(sessionmaker(engine)),
    }[kind]()
    commits_and_rolls_back(made, DatabaseOutbox(made, schema), count_in)
    made.close()
    engine.dispose()


def test_an_event_loop_with_psycopg(postgres_address: str, schema: str, count_in: Count) -> None:
    async def main() -> None:
        async with await psycopg.AsyncConnection.connect(postgres_address) as db:
            outbox = DatabaseOutbox(db, schema)
            await outbox.write_async(ROWS[:1])
            await db.rollback()
            await outbox.write_async(ROWS[:2])
            with pytest.raises(InvalidArgument, match="asubmit"):
                outbox.write(ROWS)

    asyncio.run(main())
    assert count_in() == 2


def test_an_event_loop_with_aiosqlite_and_with_sqlalchemy(path: Path, count: Count) -> None:
    async def main() -> None:
        async with aiosqlite.connect(path) as db:
            await DatabaseOutbox(db).write_async(ROWS[:1])
            await db.commit()
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        async with engine.begin() as connection:
            await DatabaseOutbox(connection).write_async(ROWS[1:2])
        async with AsyncSession(engine) as session:
            await DatabaseOutbox(session).write_async(ROWS[2:])
            await session.rollback()
        await engine.dispose()

    asyncio.run(main())
    assert count() == 2


def test_a_connection_without_a_loop_serves_in_one(path: Path, count: Count) -> None:
    db = sqlite3.connect(path)
    asyncio.run(DatabaseOutbox(db).write_async(ROWS))
    db.commit()
    db.close()
    assert count() == 3


def test_django_atomic(path: Path, count: Count, postgres_address: str, schema: str, count_in: Count) -> None:
    import django
    from django.conf import settings
    from django.db import connections, transaction

    database = postgres_address.rpartition("?host=")
    of_postgres = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database[0].rpartition("/")[2],
        "USER": "postgres",
        "HOST": database[2],
        "OPTIONS": {"options": f"-c search_path={schema}"},
    }
    if not settings.configured:
        settings.configure(
            DATABASES={
                "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)},
                "pg": of_postgres,
            }
        )
        django.setup()
    for alias, committed in (("default", count), ("pg", count_in)):
        connection: Any = connections[alias]
        with transaction.atomic(using=alias):
            DatabaseOutbox(connection).write(ROWS[:1])
            transaction.set_rollback(True, using=alias)
        assert committed() == 0
        with transaction.atomic(using=alias):
            DatabaseOutbox(connection).write(ROWS[:2])
            assert committed() == 0
        assert committed() == 2
        connection.close()


def test_django_gives_its_own_connection() -> None:
    from django.db import connection

    assert isinstance(as_outbox(connection), DatabaseOutbox)


@pytest.mark.parametrize("given", [None, 5, "postgresql:///x", object(), sqlite3])
def test_what_is_no_connection_is_refused_with_what_is(given: Any) -> None:
    with pytest.raises(
        InvalidArgument,
        match="is no connection that is known: give a connection of sqlite3, aiosqlite or psycopg 3",
    ):
        DatabaseOutbox(given)


def test_an_engine_has_no_transaction_and_other_databases_have_no_outbox(path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with pytest.raises(InvalidArgument, match="has no transaction of its own"):
        DatabaseOutbox(engine)
    engine.dispose()


def test_a_schema_is_of_postgresql() -> None:
    db = sqlite3.connect(":memory:")
    with pytest.raises(InvalidArgument, match="schema='jobs' is of PostgreSQL, and this is SQLite"):
        DatabaseOutbox(db, "jobs")
    db.close()


def test_where_the_table_is_missing_the_line_that_makes_it_is_noted(postgres_address: str) -> None:
    db = sqlite3.connect(":memory:")
    with pytest.raises(sqlite3.OperationalError, match="no such table") as here:
        DatabaseOutbox(db).write(ROWS)
    db.close()
    with psycopg.connect(postgres_address) as other, pytest.raises(psycopg.errors.UndefinedTable) as there:
        DatabaseOutbox(other, "nowhere").write(ROWS)
    for raised in (here, there):
        assert "tq outbox init --database ADDRESS makes it" in raised.value.__notes__[0]
