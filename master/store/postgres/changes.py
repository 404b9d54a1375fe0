"""What a transaction has changed in a working copy, noted by SQLite itself, as the rows that it came to.

Temporary triggers write the key of each row that is inserted, changed or deleted into one temporary table, which lives in memory
and is rolled back with the transaction. Its bits say which columns were named by a change: those of a row that are no BLOBs go
together, each BLOB by itself, so that a task's payload is sent once and not with each change of its state.

::

    INSERT ─► WHOLE      UPDATE ─► NARROW and a bit for each BLOB that it names      DELETE ─► GONE

The rows are read once, at the commit: however often one was changed, it is sent as it is then.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from .tables import ROWID, SEQUENCE_TABLE, Column, KeptTable, names, quoted, tables_of

LOG: Final = "changes_to_ship"
GONE, WHOLE, NARROW, FIRST_BLOB = 1, 2, 4, 8
KEY_COLUMNS: Final = ("k1", "k2", "k3", "k4")  # the longest key of a table; the others are padded with 0


class Change(NamedTuple):
    """Rows of one table to which the same was done."""

    table: KeptTable
    kind: int  # GONE, WHOLE, or NARROW: a part of their columns
    columns: tuple[Column, ...]  # the key's first
    rows: list[tuple[Any, ...]]


class Capture:
    """Of one handle of a working copy."""

    def __init__(self, db: sqlite3.Connection, *, coarse: bool = False) -> None:
        """``coarse``: each row that is changed is shipped as a whole, for columns may be added; until ``renew``."""
        self._db = db
        self.tables = tables_of(db)
        self._sequences: dict[str, int] = {}  # as they were shipped
        columns = ", ".join(KEY_COLUMNS)
        db.execute("PRAGMA recursive_triggers = ON")  # a row that is replaced is a row that is deleted
        db.execute(
            f"CREATE TEMP TABLE {LOG} (t INTEGER, {columns}, what INTEGER NOT NULL, PRIMARY KEY (t, {columns})) WITHOUT ROWID"
        )
        self._install(coarse=coarse)

    def _install(self, *, coarse: bool) -> None:
        for number, table in enumerate(self.tables):
            for trigger in _triggers(number, table, coarse):
                self._db.execute(trigger)

    def renew(self) -> None:
        """The tables were migrated, which only adds: what was noted stays, and new tables are shipped."""
        known, found = (
            [table.name for table in self.tables],
            {table.name: table for table in tables_of(self._db)},
        )
        for (name,) in self._db.execute(
            "SELECT name FROM sqlite_temp_master WHERE type = 'trigger'"
        ).fetchall():
            self._db.execute(f"DROP TRIGGER temp.{quoted(name)}")
        new = [table for name, table in found.items() if name not in known]
        self.tables = [*(found[name] for name in known), *new]
        self._install(coarse=False)
        for table in new:
            self.whole(table)

    def whole(self, table: KeptTable) -> None:
        """All rows of a table are to be shipped."""
        keys = _padded([quoted(column.name) for column in table.key])
        number = self.tables.index(table)
        self._db.execute(
            f"INSERT INTO {LOG} SELECT {number}, {keys}, {WHOLE} FROM main.{quoted(table.name)} WHERE true "
            f"ON CONFLICT DO UPDATE SET what = what | {WHOLE}"
        )

    def read(self) -> list[Change]:
        """What was changed since ``clear``."""
        found: list[Change] = []
        for number, what in self._db.execute(f"SELECT DISTINCT t, what FROM {LOG}").fetchall():
            found += self._group(number, what)
        if any(change.table.has_sequence for change in found):
            rows = [
                (name, seq)
                for name, seq in self._db.execute("SELECT name, seq FROM sqlite_sequence")
                if self._sequences.get(name) != seq
            ]
            if rows:
                found.append(Change(SEQUENCE_TABLE, WHOLE, SEQUENCE_TABLE.columns, rows))
        return found

    def clear(self) -> None:
        """In the transaction whose changes were shipped."""
        self._db.execute(f"DELETE FROM {LOG}")

    def shipped(self, changes: Sequence[Change]) -> None:
        """These are committed."""
        for change in changes:
            if change.table is SEQUENCE_TABLE:
                self._sequences.update(change.rows)

    def _group(self, number: int, what: int) -> Iterator[Change]:
        table = self.tables[number]
        if what & GONE:
            if rows := self._rows(_gone(table, what), number, what):
                yield Change(table, GONE, table.key, rows)
            if not what & WHOLE:
                return
        columns, sql = _changed(table, what)
        if rows := self._rows(sql, number, what):
            yield Change(table, WHOLE if what & WHOLE else NARROW, columns, rows)

    def _rows(self, sql: str, number: int, what: int) -> list[tuple[Any, ...]]:
        return self._db.execute(sql, (number, what)).fetchall()


@functools.cache
def _gone(table: KeptTable, what: int) -> str:
    """Selects the keys of rows that are not there any more."""
    lost = f" AND NOT EXISTS (SELECT 1 FROM {_main(table)} x WHERE {_same(table)})" if what & WHOLE else ""
    keys = ", ".join(f"c.{column}" for column in KEY_COLUMNS[: len(table.key)])
    return f"SELECT {keys} FROM {LOG} c WHERE c.t = ? AND c.what = ?{lost}"


@functools.cache
def _changed(table: KeptTable, what: int) -> tuple[tuple[Column, ...], str]:
    """Columns, and what selects them."""
    columns = table.columns if what & WHOLE else (*table.key, *_named(table, what))
    return columns, (
        f"SELECT {names(columns, 'x.')} FROM {LOG} c CROSS JOIN {_main(table)} x "
        f"WHERE c.t = ? AND c.what = ? AND {_same(table)}"
    )


def _main(table: KeptTable) -> str:
    return f"main.{quoted(table.name)}"


def _same(table: KeptTable) -> str:
    pairs = zip(table.key, KEY_COLUMNS, strict=False)
    return " AND ".join(f"x.{quoted(column.name)} = c.{key}" for column, key in pairs)


def _padded(keys: Sequence[str]) -> str:
    return ", ".join([*keys, *["0"] * (len(KEY_COLUMNS) - len(keys))])


def _blobs(table: KeptTable) -> list[Column]:
    return [column for column in table.others if column.kind == "bytea"]


def _named(table: KeptTable, what: int) -> list[Column]:
    """The columns that a change of these bits is about."""
    named = {column for place, column in enumerate(_blobs(table)) if what & FIRST_BLOB << place}
    return [
        column for column in table.others if (what & NARROW if column.kind != "bytea" else column in named)
    ]


@functools.cache  # their texts are a tenth of what a shard that is taken costs
def _triggers(number: int, table: KeptTable, coarse: bool) -> Sequence[str]:
    return tuple(_made_triggers(number, table, coarse=coarse))


def _made_triggers(number: int, table: KeptTable, *, coarse: bool) -> Iterator[str]:
    def trigger(name: str, event: str, *noted: tuple[str, int]) -> str:
        steps = " ".join(
            f"INSERT INTO {LOG} VALUES ({number}, {_padded([f'{row}.{quoted(one.name)}' for one in table.key])}, {what}) "
            "ON CONFLICT DO UPDATE SET what = what | excluded.what;"
            for row, what in noted
        )
        return f"CREATE TEMP TRIGGER {quoted(f'ship_{table.name}_{name}')} AFTER {event} ON main.{quoted(table.name)} BEGIN {steps} END"

    def update_of(columns: Sequence[Column]) -> str:
        return f"UPDATE OF {names(columns)}"

    yield trigger("inserted", "INSERT", ("new", WHOLE))
    yield trigger("deleted", "DELETE", ("old", GONE))
    if table.key[0].name != ROWID:  # never changed
        yield trigger("moved", update_of(table.key), ("old", GONE), ("new", WHOLE))
    if coarse:
        yield trigger("changed", "UPDATE", ("new", WHOLE))
        return
    narrow = [column for column in table.others if column.kind != "bytea"]
    if narrow:
        yield trigger("changed", update_of(narrow), ("new", NARROW))
    for place, column in enumerate(_blobs(table)):
        yield trigger(f"changed_{column.name}", update_of([column]), ("new", FIRST_BLOB << place))
