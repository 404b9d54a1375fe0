"""The SQL that tq sends to PostgreSQL, as SQLite understands it: the texts stay the shipped ones, only words of the dialect change.

What PostgreSQL does for many rows by ``unnest`` is done here from a temporary table of the rows; what its condition does by a division
by zero is done by looking at the number of rows that were changed.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tq.master.store.postgres.arrays import ARRAY_OIDS, HEADER
from tq.master.store.postgres.line import BIGINT, INTEGER, TEXT, Statement
from tq.master.store.postgres.tables import SCHEMA

OURS: Final = re.compile(r"WITH ours AS \((UPDATE .*) RETURNING 1\) SELECT 1 / count\(\*\) FROM ours", re.S)
UNNEST: Final = re.compile(r"unnest\(([^)]*)\)(?: AS u \(([^)]*)\))?")
ROWS: Final = "rows_of_{0}"
NOTHING: Final = re.compile(
    r"(?:BEGIN|COMMIT|ROLLBACK|SET LOCAL |SET TRANSACTION |SELECT set_config\().*", re.S
)
WORDS: Final = [
    (re.compile(rf"\b{SCHEMA}\."), ""),
    (re.compile(r"interval '([\d.]+) seconds?'"), r"\1"),
    (re.compile(r"interval '1 hour'"), "3600"),
    (re.compile(r"extract\(epoch FROM "), "("),
    (re.compile(r"([\w.]+|'1')::text"), r"CAST(\1 AS TEXT)"),
    (re.compile(r"::text(?:tz)?|::timestamptz"), ""),
    (re.compile(r" FOR UPDATE"), ""),
    (re.compile(r"\$(\d+)"), r"?\1"),
    (re.compile(r"%s"), "?"),
    (re.compile(r' COLLATE "C"'), ""),
    (re.compile(r" WITH \(fillfactor = \d+\)"), ""),
    (re.compile(r"DEFAULT (now|clock_timestamp)\(\)"), r"DEFAULT (clock_timestamp())"),
    (re.compile(r"^(UPDATE|DELETE FROM) (\S+) t\b"), r"\1 \2 AS t"),
]
BY_KEY: Final = re.compile(
    r" CROSS JOIN LATERAL \(SELECT x\.ctid AS at FROM \S+ x WHERE (.*?) OFFSET 0\) k WHERE t\.ctid = k\.at"
)
USING: Final = re.compile(r"^DELETE FROM (\S+) AS t USING (.*) WHERE (.*)$", re.S)


class Text(NamedTuple):
    """A statement as SQLite has it. ``rows``: how many columns of arrays it takes. ``must_change``: it is an error if it changes none."""

    sql: str
    rows: int = 0
    must_change: bool = False
    does_nothing: bool = False


@functools.cache
def translated(text: bytes) -> Text:
    sql = text.decode()
    if NOTHING.fullmatch(sql):
        return Text(sql, does_nothing=True)
    ours = OURS.fullmatch(sql)
    if ours is not None:
        sql = ours[1]
    arrays = 0
    unnest = UNNEST.search(sql)
    if unnest is not None:
        arrays = unnest[1].count("$")
        named = (unnest[2] or "").split(", ") if unnest[2] else []
        columns = [f"c{place} AS {name}" for place, name in enumerate(named)]
        rows = ROWS.format(arrays)
        if named:
            rows = f"(SELECT {', '.join(columns)} FROM {rows})"  # noqa: S608 - texts of ours
        sql = (
            sql[: unnest.start()] + f"{rows} AS u" + sql[unnest.end() :].replace(" AS u", "", 1 - bool(named))
        )
    sql = BY_KEY.sub(lambda found: " WHERE " + found[1].replace("x.", "t."), sql)
    for pattern, by in WORDS:
        sql = pattern.sub(by, sql)
    if (using := USING.match(sql)) is not None:
        sql = f"DELETE FROM {using[1]} AS t WHERE EXISTS (SELECT 1 FROM {using[2]} WHERE {using[3]})"  # noqa: S608 - the same
    if sql.startswith("INSERT") and " SELECT " in sql and " ON CONFLICT" in sql and " WHERE " not in sql:
        sql = sql.replace(" ON CONFLICT", " WHERE true ON CONFLICT", 1)  # as SQLite's grammar needs it
    return Text(sql, arrays, ours is not None)


def values_of(statement: Statement) -> tuple[list[Any], list[tuple[Any, ...]]]:
    """The parameters that are no arrays, and the rows of those that are."""
    plain: list[Any] = []
    columns: list[list[Any]] = []
    for value, type in zip(statement.values, statement.types, strict=True):
        if type in KIND_OF_ARRAY:
            assert value is not None
            columns.append(_elements(value, KIND_OF_ARRAY[type]))
        else:
            plain.append(None if value is None else _read(value, KINDS.get(type, "bytea")))
    return plain, list(zip(*columns, strict=True))


KINDS: Final = {INTEGER: "bigint", BIGINT: "bigint", TEXT: "text"}
KIND_OF_ARRAY: Final = {oid: kind for kind, oid in ARRAY_OIDS.items()}
SIZE: Final = struct.Struct(">i")


def _elements(data: bytes, kind: str) -> list[Any]:
    count, at = HEADER.unpack_from(data)[3], HEADER.size
    found: list[Any] = []
    for _ in range(count):
        (size,) = SIZE.unpack_from(data, at)
        at += SIZE.size
        if size < 0:
            found.append(None)
        else:
            found.append(_read(data[at : at + size], kind))
            at += size
    return found


def _read(value: bytes, kind: str) -> Any:
    if kind == "bigint":
        return int.from_bytes(value, "big", signed=True)
    if kind == "text":
        return value.decode()
    return struct.unpack(">d", value)[0] if kind == "double precision" else bytes(value)


def written(value: Any) -> bytes | None:
    """As the database answers it."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return value.to_bytes(8, "big", signed=True)
    return str(value).encode()


class Result:
    """As much of a ``PGresult`` as is asked for."""

    def __init__(self, rows: Sequence[Sequence[Any]] = (), changed: int = 0) -> None:
        self._rows, self.command_tuples = rows, changed
        self.ntuples, self.nfields = len(rows), len(rows[0]) if rows else 0

    def get_value(self, row: int, column: int) -> bytes | None:
        return written(self._rows[row][column])
