"""Writes rows of an outbox over a connection of the program's own, within the transaction that is open on it.

Which driver the connection is of follows from its class, and only among drivers that the program has imported: none is imported here. What
is executed is an INSERT, nothing besides: the transaction is begun, committed and rolled back by the program.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from .table import NewRow, insert_sql, named_insert_sql, table_name

KNOWN: Final = (
    "a connection of sqlite3, aiosqlite or psycopg 3 (or a cursor of one), a Connection or Session of SQLAlchemy (or their async forms), or "
    "django.db.connection"
)
POSTGRES, SQLITE = "postgresql", "sqlite"


class _Writer(NamedTuple):
    """One of both is None: a connection is for an event loop, or is not."""

    write: Callable[[Sequence[NewRow]], None] | None
    write_async: Callable[[Sequence[NewRow]], Awaitable[None]] | None


class DatabaseOutbox:
    """The outbox of a database, by a connection to it: what ``using(outbox=…)`` is given where its table is in a schema of its own.

    Args:
        connection: Of sqlite3, aiosqlite, psycopg 3, SQLAlchemy or Django. Its open transaction is what a submit becomes part of.
        schema: The schema of the table ``tq_outbox`` in PostgreSQL, as in ``tq outbox init --schema``; by default it is found where the
            connection looks for tables.

    Raises:
        InvalidArgument: The connection is of no known kind, or is to another kind of database.

    Example::

        with psycopg.connect() as connection:
            connection.execute("INSERT INTO pictures VALUES (%s)", [url])
            thumb.using(outbox=tq.DatabaseOutbox(connection, schema="jobs")).submit(url)
    """

    _tq_remedy = "it belongs to a connection of this process; submit here, or make one inside the task"

    def __init__(self, connection: Any, schema: str | None = None) -> None:
        self._writer = _writer(connection, table_name(schema), schema)

    def write(self, rows: Sequence[NewRow]) -> None:
        """Insert these rows.

        Args:
            rows: Any number.

        Raises:
            InvalidArgument: The connection is one for an event loop.
        """
        if not rows:
            return
        if self._writer.write is None:
            raise InvalidArgument(
                "outbox= is a connection for an event loop; write await task.using(outbox=…).asubmit(…), or amap"
            )
        try:
            self._writer.write(rows)
        except Exception as error:
            _explain(error)
            raise

    async def write_async(self, rows: Sequence[NewRow]) -> None:
        """Do as ``write``, for an event loop. A connection that is for none is used where it is, which blocks for an INSERT.

        Args:
            rows: Any number.
        """
        if not rows or self._writer.write_async is None:
            self.write(rows)
            return
        try:
            await self._writer.write_async(rows)
        except Exception as error:
            _explain(error)
            raise


def as_outbox(given: Any) -> DatabaseOutbox:
    """What ``using(outbox=…)`` was given. Raises InvalidArgument."""
    return given if isinstance(given, DatabaseOutbox) else DatabaseOutbox(given)


def _writer(connection: Any, table: str, schema: str | None) -> _Writer:
    for make in (_of_sqlite3, _of_aiosqlite, _of_psycopg, _of_sqlalchemy, _of_django):
        found = make(connection, table, schema)
        if found is not None:
            return found
    raise InvalidArgument(f"outbox={brief(connection, 80)} is no connection that is known: give {KNOWN}")


def _of_sqlite3(connection: Any, table: str, schema: str | None) -> _Writer | None:
    sqlite3: Any = sys.modules.get("sqlite3")
    if sqlite3 is None or not isinstance(connection, sqlite3.Connection | sqlite3.Cursor):
        return None
    _no_schema(schema)
    # The cursor itself may be in the midst of a SELECT.
    own = connection.connection if isinstance(connection, sqlite3.Cursor) else connection
    sql = insert_sql(table, "?", is_postgres=False)

    def write(rows: Sequence[NewRow]) -> None:
        own.executemany(sql, [tuple(row) for row in rows])

    return _Writer(write, None)


def _of_aiosqlite(connection: Any, table: str, schema: str | None) -> _Writer | None:
    aiosqlite: Any = sys.modules.get("aiosqlite")
    if aiosqlite is None or not isinstance(connection, aiosqlite.Connection):
        return None
    _no_schema(schema)
    sql = insert_sql(table, "?", is_postgres=False)

    async def write(rows: Sequence[NewRow]) -> None:
        await connection.executemany(sql, [tuple(row) for row in rows])

    return _Writer(None, write)


def _of_psycopg(connection: Any, table: str, schema: str | None) -> _Writer | None:
    psycopg: Any = sys.modules.get("psycopg")
    if psycopg is None:
        return None
    if isinstance(connection, psycopg.Cursor | psycopg.AsyncCursor):
        connection = connection.connection
    sql = insert_sql(table, "%s", is_postgres=True)
    if isinstance(connection, psycopg.Connection):

        def write(rows: Sequence[NewRow]) -> None:
            with connection.cursor() as cursor:
                cursor.executemany(sql, list(map(_with_uuid, rows)))

        return _Writer(write, None)
    if isinstance(connection, psycopg.AsyncConnection):

        async def write_async(rows: Sequence[NewRow]) -> None:
            async with connection.cursor() as cursor:
                await cursor.executemany(sql, list(map(_with_uuid, rows)))

        return _Writer(None, write_async)
    return None


def _of_sqlalchemy(connection: Any, table: str, schema: str | None) -> _Writer | None:
    if "sqlalchemy" not in sys.modules or not _is_of("sqlalchemy", connection):
        return None
    from sqlalchemy import Connection, text
    from sqlalchemy.orm import Session, scoped_session

    def write(rows: Sequence[NewRow], on: Any = connection) -> None:
        own = on.connection() if isinstance(on, Session | scoped_session) else on
        kind = _kind("SQLAlchemy's dialect", own.dialect.name, schema)
        sql = text(named_insert_sql(table, is_postgres=kind == POSTGRES))
        shown = _with_uuid if kind == POSTGRES else tuple
        own.execute(sql, [dict(zip(NewRow._fields, shown(row), strict=True)) for row in rows])

    if isinstance(connection, Connection | Session | scoped_session):
        return _Writer(write, None)
    if not hasattr(connection, "run_sync"):  # an engine, which has no transaction
        raise InvalidArgument(
            f"outbox={brief(connection, 80)} has no transaction of its own; give a Connection or a Session of SQLAlchemy: "
            "with engine.begin() as connection: …"
        )

    async def write_async(rows: Sequence[NewRow]) -> None:
        await connection.run_sync(lambda on: write(rows, on))

    return _Writer(None, write_async)


def _of_django(connection: Any, table: str, schema: str | None) -> _Writer | None:
    if "django" not in sys.modules or not _is_of("django", connection) or not hasattr(connection, "vendor"):
        return None
    kind = _kind("Django's vendor", connection.vendor, schema)
    # Django writes parameters as %s, whatever its driver does.
    sql = insert_sql(table, "%s", is_postgres=kind == POSTGRES)
    shown = _with_uuid if kind == POSTGRES else tuple

    def write(rows: Sequence[NewRow]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(sql, [shown(row) for row in rows])

    return _Writer(write, None)


def _is_of(package: str, connection: Any) -> bool:
    return any(kind.__module__.partition(".")[0] == package for kind in type(connection).__mro__)


def _with_uuid(row: NewRow) -> tuple[Any, ...]:
    return (str(UUID(bytes=row.id)), *row[1:])


def _kind(of: str, name: str, schema: str | None) -> str:
    if name == POSTGRES:
        return POSTGRES
    if name == SQLITE:
        _no_schema(schema)
        return SQLITE
    raise InvalidArgument(f"{of} is {name!r:.40}: an outbox is in PostgreSQL or SQLite")


def _no_schema(schema: str | None) -> None:
    if schema is not None:
        raise InvalidArgument(f"schema={schema!r} is of PostgreSQL, and this is SQLite; leave it out")


def _explain(error: Exception) -> None:
    """Where the table is missing: the line that makes it."""
    said = str(error)
    if "tq_outbox" in said and ("no such table" in said or "does not exist" in said):
        error.add_note(
            "the table of the outbox is not there: tq outbox init --database ADDRESS makes it, and with --sql prints what a migration of "
            "yours does"
        )
