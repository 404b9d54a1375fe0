"""The tables of a store, as its SQLite schema has them, and what PostgreSQL makes of them.

Nothing is written down twice: names, columns, keys and defaults are read from SQLite after its migrations. In PostgreSQL each
table has the number of its shard in front of its key, and no other index, for all that is ever read there is a shard as a whole; so updates that change no key touch no index.

A row of a table without a primary key is named by its ``rowid``, which is a column in PostgreSQL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

SCHEMA: Final = "tq"  # of PostgreSQL; every name is written with it, so that search_path does not matter
OWN: Final = "working_copy"  # the table of a working copy that says what it is a copy of, see working_copy.py
SEQUENCES: Final = "sequences"  # the last number of each table whose numbers are never used again
ROWID: Final = "rowid"
KINDS: Final = {"INTEGER": "bigint", "BLOB": "bytea", "TEXT": "text", "REAL": "double precision"}
# Percent of a page: a row that is changed finds room for its new version there, and no index changes
FILL: Final = 85


class Column(NamedTuple):
    name: str
    kind: str  # of PostgreSQL
    default: str | None = None  # in SQL
    required: bool = False

    @property
    def declared(self) -> str:
        parts = [quoted(self.name), self.kind]
        if self.kind == "text":
            parts.append('COLLATE "C"')  # compared by bytes: an update of a system's locales changes no order
        if self.required:
            parts.append("NOT NULL")
        if self.default is not None:
            parts.append(f"DEFAULT {self.default}")
        return " ".join(parts)


class KeptTable(NamedTuple):
    name: str
    key: tuple[Column, ...]
    columns: tuple[Column, ...]  # all of them, the key's first
    has_sequence: bool = False  # its numbers are never used again

    @property
    def others(self) -> tuple[Column, ...]:
        return self.columns[len(self.key) :]

    @property
    def qualified(self) -> str:
        return f"{SCHEMA}.{quoted(self.name)}"


def quoted(name: str) -> str:
    return f'"{name}"'


def names(columns: Iterable[Column], of: str = "") -> str:
    return ", ".join(f"{of}{quoted(column.name)}" for column in columns)


def tables_of(db: sqlite3.Connection) -> list[KeptTable]:
    """Of a store's schema, by name."""
    found = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> ? "
        "ORDER BY name",
        (OWN,),
    ).fetchall()
    return [_table(db, name, sql) for name, sql in found]


SEQUENCE_TABLE: Final = KeptTable(
    SEQUENCES,
    (Column("name", "text", required=True),),
    (Column("name", "text", required=True), Column("seq", "bigint", required=True)),
)


def _table(db: sqlite3.Connection, name: str, sql: str) -> KeptTable:
    places: dict[int, Column] = {}
    others: list[Column] = []
    for _, column_name, declared, required, default, place in db.execute(
        f"PRAGMA table_info({quoted(name)})"
    ):
        column = Column(column_name, KINDS[declared], default, bool(required or place))
        if place:
            places[place] = column
        else:
            others.append(column)
    key = tuple(places[place] for place in sorted(places)) or (Column(ROWID, "bigint", required=True),)
    return KeptTable(name, key, (*key, *others), "AUTOINCREMENT" in sql.upper())


# statements for PostgreSQL

FIRST: Final = (
    f"CREATE TABLE {SCHEMA}.cluster (number integer PRIMARY KEY DEFAULT 1 CHECK (number = 1), schema integer NOT NULL, "
    "made timestamptz NOT NULL DEFAULT now())",
    f"CREATE TABLE {SCHEMA}.shards (shard integer PRIMARY KEY, owner text NOT NULL, epoch bigint NOT NULL, "
    "until timestamptz, last_commit bigint NOT NULL, schema integer NOT NULL)",
    f"CREATE TABLE {SCHEMA}.masters (id text PRIMARY KEY, name text NOT NULL, address text NOT NULL, version text NOT NULL, "
    "since timestamptz NOT NULL DEFAULT clock_timestamp(), seen timestamptz NOT NULL DEFAULT clock_timestamp(), until timestamptz, "
    "readiness smallint)",
    f"CREATE TABLE {SCHEMA}.contents (shard integer NOT NULL, hash bytea NOT NULL, part integer NOT NULL, "
    "content bytea NOT NULL, PRIMARY KEY (shard, hash, part))",
    f"ALTER TABLE {SCHEMA}.contents ALTER COLUMN content SET STORAGE EXTERNAL",
    f"REVOKE ALL ON ALL TABLES IN SCHEMA {SCHEMA} FROM PUBLIC",
)

# Columns that tables of FIRST have got since: table, name, kind.
LATER: Final = (("masters", "readiness", "smallint"),)


def creation(table: KeptTable) -> str:
    """Its CREATE TABLE."""
    columns = ", ".join(column.declared for column in table.columns)
    return (
        f"CREATE TABLE {table.qualified} (shard integer NOT NULL, {columns}, "
        f"PRIMARY KEY (shard, {names(table.key)})) WITH (fillfactor = {FILL})"
    )


def additions(wanted: Sequence[KeptTable], there: dict[str, set[str]]) -> list[str]:
    """What a database lacks of these tables. ``there``: the columns of each table that it has."""
    made: list[str] = []
    for table in wanted:
        have = there.get(table.name)
        if have is None:
            made.append(creation(table))
        else:
            made += [
                f"ALTER TABLE {table.qualified} ADD COLUMN {column.declared}"
                for column in table.columns
                if column.name not in have
            ]
    return made


def later(there: dict[str, set[str]]) -> list[str]:
    """What a database lacks of LATER, which a master of an older version made."""
    return [
        f"ALTER TABLE {SCHEMA}.{table} ADD COLUMN {name} {kind}"
        for table, name, kind in LATER
        if name not in there[table]
    ]
