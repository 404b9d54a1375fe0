"""Loads the rows of a shard into a new working copy: table by table, in one snapshot of the database.

The owner has claimed the shard before, so that no other changes it meanwhile.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from .arrays import from_bytes, unescaped
from .line import PostgresLine
from .tables import SEQUENCE_TABLE, KeptTable, names, quoted, tables_of

Loaded = Callable[[str, int], None]
READERS: Final[dict[str, Callable[[Any], Any]]] = {"text": unescaped, "bytea": from_bytes}
ROWS_AT_ONCE: Final = 1_000  # in memory: an array of tasks may have megabytes
# An administrator's limits are for those who ask: this takes as long as there are rows.
UNLIMITED: Final = (
    "SET LOCAL statement_timeout TO 0",
    "SET LOCAL idle_in_transaction_session_timeout TO 0",
)
TYPES: Final = {"bigint": "int8", "bytea": "bytea", "text": "text", "double precision": "float8"}


def load(line: PostgresLine, shard: int, db: sqlite3.Connection, loaded: Loaded) -> None:
    """``db``: with the tables of the version that the rows have. ``loaded`` is called with a table and how many more rows it has; what
    it raises ends the load."""
    db.execute("BEGIN IMMEDIATE")
    try:
        # Triggers would count a second time what is in the rows; an index is made faster at once than row by row.
        set_aside = db.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql IS NOT NULL"
        ).fetchall()
        for kind, name, _ in set_aside:
            db.execute(f"DROP {kind.upper()} {quoted(name)}")
        with line.connection.transaction():
            line.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            for statement in UNLIMITED:
                line.connection.execute(statement)
            tables = {quoted(table.name): table for table in tables_of(db)}
            tables["sqlite_sequence"] = SEQUENCE_TABLE
            for name in tables:
                db.execute(f"DELETE FROM {name}")  # what a migration has put there
            for name in _with_rows(line, shard, tables):
                if tables[name] is SEQUENCE_TABLE:  # the last one: to insert into others has made rows there
                    db.execute("DELETE FROM sqlite_sequence")
                _insert(db, name, tables[name], rows_of(line, shard, tables[name]), loaded)
        for _, _, sql in set_aside:
            db.execute(sql)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _with_rows(line: PostgresLine, shard: int, tables: Mapping[str, KeptTable]) -> list[str]:
    """The names of those that have some: most have none, and to read a table takes a question and four answers by the network."""
    asked = ", ".join(
        f"EXISTS (SELECT 1 FROM {table.qualified} WHERE shard = {shard})" for table in tables.values()
    )
    answer = line.connection.execute(f"SELECT {asked}".encode()).fetchone() or ()
    return [name for name, has_rows in zip(tables, answer, strict=True) if has_rows]


def rows_of(line: PostgresLine, shard: int, table: KeptTable) -> Iterator[tuple[Any, ...]]:
    """All of them, in the order of their key."""
    readers = [
        (place, READERS[column.kind]) for place, column in enumerate(table.columns) if column.kind in READERS
    ]
    asked = f"SELECT {names(table.columns)} FROM {table.qualified} WHERE shard = {shard} ORDER BY {names(table.key)}"
    # A cursor, not COPY, which psycopg reads row by row: that takes three times as long for the processor.
    with line.connection.transaction(), line.connection.cursor("tq_load", binary=True) as cursor:
        cursor.execute(asked.encode())
        while some := cursor.fetchmany(ROWS_AT_ONCE):
            yield from _readable(some, readers)


def _readable(
    rows: Sequence[tuple[Any, ...]], readers: Sequence[tuple[int, Callable[[Any], Any]]]
) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        changed: list[Any] | None = None
        for place, read in readers:
            value = row[place]
            if value is not None and (meant := read(value)) is not value:
                changed = changed or list(row)
                changed[place] = meant
        yield row if changed is None else tuple(changed)


def _insert(
    db: sqlite3.Connection, name: str, table: KeptTable, rows: Iterator[tuple[Any, ...]], loaded: Loaded
) -> None:
    places = ", ".join("?" * len(table.columns))
    sql = f"INSERT INTO {name} ({names(table.columns)}) VALUES ({places})"
    while some := list(itertools.islice(rows, ROWS_AT_ONCE)):
        db.executemany(sql, some)
        loaded(table.name, len(some))
