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
    same = " AND ".join(f"t.{quoted(column.name)} = u.{quoted(column.name)}" for column in table.key)
    if kind == GONE:
        text = f"DELETE FROM {table.qualified} t USING {rows} AS u ({names(columns)}) WHERE t.shard = $1 AND {same}"
    elif kind == WHOLE:
        sets = ", ".join(f"{quoted(one.name)} = excluded.{quoted(one.name)}" for one in table.others)
        text = (
            f"INSERT INTO {table.qualified} (shard, {names(columns)}) SELECT $1, u.* FROM {rows} AS u "
            f"ON CONFLICT (shard, {names(table.key)}) DO {f'UPDATE SET {sets}' if sets else 'NOTHING'}"
        )
    else:
        changed = columns[len(table.key) :]
        sets = ", ".join(f"{quoted(one.name)} = u.{quoted(one.name)}" for one in changed)
        text = f"UPDATE {table.qualified} t SET {sets} FROM {rows} AS u ({names(columns)}) WHERE t.shard = $1 AND {same}"
    return text.encode()
