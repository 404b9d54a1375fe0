"""The rows of a store on their way from a file into a database, and back: all of them or none, and compared behind it.

Into a database they go in one transaction, of all shards, whose last statements make them shards that have something; into a file under another name,
which is given its own when it is whole. So a copy that is killed has left nothing that a master would take for a store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

from ....common.errors import ConfigError
from ..sqlite.space import INCREMENTAL
from ..sqlite.store import make_private, migrate, newest_schema
from .arrays import as_bytes, escaped
from .line import PostgresLine
from .loading import TYPES, Loaded, load, rows_of
from .shard import Ownership
from .tables import SCHEMA, SEQUENCE_TABLE, KeptTable, names, quoted, tables_of

WRITERS: Final[dict[str, Callable[[Any], Any]]] = {"text": escaped, "bytea": as_bytes}
ROWS_AT_ONCE: Final = 5_000
DIGEST_BYTES: Final = 16


class TableCopied(NamedTuple):
    table: str
    rows: int
    digest: str  # of all rows, in whatever order


def digest_of(table: str, rows: Iterable[tuple[Any, ...]]) -> TableCopied:
    """The sum of the rows' hashes: two sides may sort the same texts differently."""
    total = count = 0
    for row in rows:
        count += 1
        total += int.from_bytes(blake2b(repr(row).encode(), digest_size=DIGEST_BYTES).digest(), "big")
    return TableCopied(table, count, f"{total % (1 << 8 * DIGEST_BYTES):032x}")


def tables_in(db: sqlite3.Connection) -> list[tuple[KeptTable, str]]:
    """Each with its name in the file."""
    return [
        *((table, f"main.{quoted(table.name)}") for table in tables_of(db)),
        (SEQUENCE_TABLE, "sqlite_sequence"),
    ]


def check_version(version: int, where: str) -> None:
    """Rows are migrated by the master that has them. Raises ConfigError."""
    if version != newest_schema():
        raise ConfigError(
            f"{where} has schema version {version}, this tq-master knows {newest_schema()}: start the master of this version there once, "
            "stop it, and copy then"
        )


class Filled(NamedTuple):
    """What a database has of a shard."""

    owner: str
    commits: int  # 0: nothing that a master would take for a store


def filled(line: PostgresLine, shard: int) -> Filled | None:
    row = line.connection.execute(
        f"SELECT owner, last_commit FROM {SCHEMA}.shards WHERE shard = %s", (shard,)
    ).fetchone()
    return None if row is None else Filled(*row)


def version_in(line: PostgresLine) -> int:
    """Of the tables, which a master of another version may have."""
    [(version,)] = line.connection.execute(f"SELECT schema FROM {SCHEMA}.cluster").fetchall()
    return int(version)


def meta_in(line: PostgresLine, shard: int, name: str) -> bytes | None:
    rows = line.connection.execute(
        f"SELECT value FROM {SCHEMA}.meta WHERE shard = %s AND name = %s", (shard, name)
    ).fetchall()
    return next((bytes(value) for (value,) in rows), None)


def blobs_in(line: PostgresLine, shard: int) -> list[tuple[bytes, int]]:
    """Hash and size of the contents that its tasks may name."""
    return line.connection.execute(
        f"SELECT hash, size FROM {SCHEMA}.blobs WHERE shard = %s ORDER BY blob", (shard,)
    ).fetchall()


def rows_to_database(
    sources: Sequence[tuple[sqlite3.Connection, Ownership]], line: PostgresLine, loaded: Loaded
) -> list[list[TableCopied]]:
    """``sources``: each with the shard, which has no rows. Raises ConfigError, and nothing was done."""
    with line.connection.transaction():
        found = [_rows_in_shard(db, line, held, loaded) for db, held in sources]
        # At the end: from here on a shard's row is held, and its lease is not renewed.
        for _, held in sources:
            _make_store(line, held)
    return found


def _rows_in_shard(
    db: sqlite3.Connection, line: PostgresLine, held: Ownership, loaded: Loaded
) -> list[TableCopied]:
    found = []
    for table, name in tables_in(db):
        _copy_in(line, held.shard, table, _rows_in(db, table, name), loaded)
        here = digest_of(table.name, _rows_in(db, table, name))
        found.append(_compared(here, digest_of(table.name, rows_of(line, held.shard, table))))
    return found


def _make_store(line: PostgresLine, held: Ownership) -> None:
    """From now on the shard has something."""
    ours = line.connection.execute(
        f"UPDATE {SCHEMA}.shards SET last_commit = 1, schema = %s "
        "WHERE shard = %s AND owner = %s AND epoch = %s AND last_commit = 0 RETURNING 1",
        (newest_schema(), held.shard, held.owner, held.epoch),
    ).fetchone()
    if ours is None:
        raise ConfigError(
            "a master has taken over the database while it was filled; stop it, and begin again"
        )


def rows_to_file(line: PostgresLine, shard: int, file: Path, loaded: Loaded) -> list[TableCopied]:
    """A new file with the shard's rows, written to the disk. Raises ConfigError."""
    make_private(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        db.execute("PRAGMA synchronous = FULL")
        migrate(db, file)
        load(line, shard, db, loaded)
        return [
            _compared(
                digest_of(table.name, rows_of(line, shard, table)),
                digest_of(table.name, _rows_in(db, table, name)),
            )
            for table, name in tables_in(db)
        ]


def _rows_in(db: sqlite3.Connection, table: KeptTable, name: str) -> Iterator[tuple[Any, ...]]:
    return iter(db.execute(f"SELECT {names(table.columns)} FROM {name}"))


def _copy_in(
    line: PostgresLine, shard: int, table: KeptTable, rows: Iterable[tuple[Any, ...]], loaded: Loaded
) -> None:
    writers = [
        (place, WRITERS[column.kind]) for place, column in enumerate(table.columns) if column.kind in WRITERS
    ]
    asked = f"COPY {table.qualified} (shard, {names(table.columns)}) FROM STDIN (FORMAT binary)"
    done = 0
    with line.connection.cursor().copy(asked.encode()) as copy:
        copy.set_types(["int4", *(TYPES[column.kind] for column in table.columns)])
        for row in rows:
            copy.write_row((shard, *_written(row, writers)))
            done += 1
            if done % ROWS_AT_ONCE == 0:
                loaded(table.name, ROWS_AT_ONCE)
    loaded(table.name, done % ROWS_AT_ONCE)


def _written(row: tuple[Any, ...], writers: Sequence[tuple[int, Callable[[Any], Any]]]) -> Sequence[Any]:
    values = list(row)
    for place, write in writers:
        if values[place] is not None:
            values[place] = write(values[place])
    return values


def _compared(source: TableCopied, target: TableCopied) -> TableCopied:
    if source != target:
        raise ConfigError(
            f"the table {source.table} has {source.rows:,} rows (digest {source.digest}), and {target.rows:,} ({target.digest}) were read "
            "behind the copy; nothing was kept of it. Copy again, and report it if it comes again"
        )
    return source
