"""Changes of rows as statements for PostgreSQL: one for each table and kind of change, however many rows there are."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

from .arrays import ARRAY_OIDS, array
from .changes import GONE, WHOLE, Change
from .line import INTEGER, Statement
from .tables import Column, KeptTable, names, quoted

FIRST_ARRAY: Final = 2  # the first parameter is the shard


def statements(shard: int, changes: Sequence[Change]) -> list[Statement]:
    return [_statement(shard, change) for change in changes]


def _statement(shard: int, change: Change) -> Statement:
    columns = zip(*change.rows, strict=True)
    values = [array(column.kind, one) for column, one in zip(change.columns, columns, strict=True)]
    types = [ARRAY_OIDS[column.kind] for column in change.columns]
    return Statement(
        _text(change.table, change.kind, change.columns),
        [shard.to_bytes(4, "big"), *values],
        [INTEGER, *types],
    )


@functools.cache
def _text(table: KeptTable, kind: int, columns: tuple[Column, ...]) -> bytes:
    arrays = ", ".join(f"${place}" for place in range(FIRST_ARRAY, FIRST_ARRAY + len(columns)))
    rows = f"unnest({arrays})"
    found = f"{rows} AS u ({names(columns)}) {_each_by_its_key(table)}"
    if kind == GONE:
        text = f"DELETE FROM {table.qualified} t USING {found} WHERE t.ctid = k.at"
    elif kind == WHOLE:
        sets = ", ".join(f"{quoted(one.name)} = excluded.{quoted(one.name)}" for one in table.others)
        text = (
            f"INSERT INTO {table.qualified} (shard, {names(columns)}) SELECT $1, u.* FROM {rows} AS u "
            f"ON CONFLICT (shard, {names(table.key)}) DO {f'UPDATE SET {sets}' if sets else 'NOTHING'}"
        )
    else:
        changed = columns[len(table.key) :]
        sets = ", ".join(f"{quoted(one.name)} = u.{quoted(one.name)}" for one in changed)
        text = f"UPDATE {table.qualified} t SET {sets} FROM {found} WHERE t.ctid = k.at"
    return text.encode()


def _each_by_its_key(table: KeptTable) -> str:
    """Finds the row of each element of ``u`` in the index, and never otherwise: of a table that was not analyzed yet PostgreSQL takes
    it that a shard has few rows, and would read all of them to join. OFFSET keeps it from making one join of both."""
    same = " AND ".join(f"x.{quoted(column.name)} = u.{quoted(column.name)}" for column in table.key)
    return f"CROSS JOIN LATERAL (SELECT x.ctid AS at FROM {table.qualified} x WHERE x.shard = $1 AND {same} OFFSET 0) k"
