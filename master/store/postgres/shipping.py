"""Changes of rows as statements for PostgreSQL: one for each table and kind of change, or as many as it takes for each to fit a message.

A migration may change all rows of a store, and PostgreSQL refuses a message of a gibibyte.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Final

from .arrays import ARRAY_OIDS, array
from .changes import GONE, WHOLE, Change
from .line import INTEGER, Statement
from .tables import Column, KeptTable, names, quoted

FIRST_ARRAY: Final = 2  # the first parameter is the shard
ROWS_MAX: Final = 20_000  # of one statement
# Of one statement of more than one row; a row has as much as a frame at most
VALUES_BYTES_MAX: Final = 64 * 1024 * 1024


def statements(shard: int, changes: Sequence[Change]) -> list[Statement]:
    return [one for change in changes for part in _parts(change) for one in _statements(shard, part)]


def _parts(change: Change) -> Iterator[Change]:
    for first in range(0, len(change.rows), ROWS_MAX):
        yield change._replace(rows=change.rows[first : first + ROWS_MAX])


def _statements(shard: int, change: Change) -> Iterator[Statement]:
    columns = zip(*change.rows, strict=True)
    values = [array(column.kind, one) for column, one in zip(change.columns, columns, strict=True)]
    if len(change.rows) > 1 and sum(map(len, values)) > VALUES_BYTES_MAX:
        middle = len(change.rows) // 2
        for rows in (change.rows[:middle], change.rows[middle:]):
            yield from _statements(shard, change._replace(rows=rows))
        return
    types = [ARRAY_OIDS[column.kind] for column in change.columns]
    yield Statement(
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
