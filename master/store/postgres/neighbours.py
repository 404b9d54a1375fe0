"""Reads the rows that shards of this database have for shards of this master, over a connection of its own.

Plain SQL in a transaction of one statement each, so a pooler may stand in between. What is read is committed, and on the synchronous standby where
there is one: until then PostgreSQL shows it to no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ..interface.edges import EdgeRow
from ..neighbours import ROWS_BYTES_MAX, ROWS_MAX, EdgesSeen, EdgesWanted, NeighboursSeen
from .arrays import ARRAY_OIDS, array, from_bytes
from .line import DatabaseAway, DatabaseRefused, PostgresLine, Statement
from .masters import ANSWER_SECONDS_MAX
from .tables import SCHEMA

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

WANTED: Final = "unnest($1, $2, $3) AS w (shard, of_shard, after)"
# Each by its key, however many rows the others have. The bytes of those before it: a row that is larger by itself comes alone.
ROWS: Final = (
    "SELECT w.shard, w.of_shard, o.number, o.kind, o.body "
    f"FROM {WANTED} CROSS JOIN LATERAL ("
    " SELECT number, kind, body, coalesce(sum(octet_length(body)) OVER ("
    "ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before"
    f" FROM (SELECT number, kind, body FROM {SCHEMA}.edges_out"
    f" WHERE shard = w.of_shard AND to_shard = w.shard AND number > w.after ORDER BY number LIMIT {ROWS_MAX}) f"
    f") o WHERE o.before < {ROWS_BYTES_MAX} ORDER BY w.shard, w.of_shard, o.number"
).encode()
APPLIED: Final = (
    "SELECT w.shard, w.of_shard, i.number "
    f"FROM {WANTED} JOIN {SCHEMA}.edges_in i ON i.shard = w.of_shard AND i.of_shard = w.shard"
).encode()
TYPES: Final = [ARRAY_OIDS["bigint"]] * 3


class NeighbourRows:
    """``connect``: raises DatabaseAway."""

    def __init__(self, connect: Callable[[], PostgresLine]) -> None:
        self._connect = connect
        self._line: PostgresLine | None = None

    def read(self, wants: Sequence[EdgesWanted]) -> NeighboursSeen:
        shards, of_shards = [one.shard for one in wants], [one.of_shard for one in wants]
        columns = shards, of_shards, [one.after for one in wants]
        values = [array("bigint", numbers) for numbers in columns]
        try:
            if self._line is None:
                self._line = self._connect()
            # In this order: what is said to be applied is never less than what the rows rest on.
            rows, applied = self._line.run(
                [Statement(ROWS, values, TYPES), Statement(APPLIED, values, TYPES)], ANSWER_SECONDS_MAX
            )
        except (DatabaseAway, DatabaseRefused) as error:
            self.rest()
            return NeighboursSeen([], dict.fromkeys(of_shards, str(error)))
        return NeighboursSeen(_seen(wants, rows, applied), {})

    def rest(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


def _seen(wants: Sequence[EdgesWanted], rows: PGresult, applied: PGresult) -> list[EdgesSeen]:
    found: dict[tuple[int, int], list[EdgeRow]] = {(one.shard, one.of_shard): [] for one in wants}
    for place in range(rows.ntuples):
        shard, of_shard, number, kind = (_number(rows, place, column) for column in range(4))
        body = from_bytes(rows.get_value(place, 4) or b"")
        assert isinstance(body, bytes)  # noqa: S101 - a number stands in no body
        found[shard, of_shard].append(EdgeRow(number, kind, body))
    numbers = {
        (_number(applied, place, 0), _number(applied, place, 1)): _number(applied, place, 2)
        for place in range(applied.ntuples)
    }
    return [EdgesSeen(*pair, some, numbers.get(pair, 0)) for pair, some in found.items()]


def _number(result: PGresult, row: int, column: int) -> int:
    return int.from_bytes(result.get_value(row, column) or b"", "big", signed=True)
