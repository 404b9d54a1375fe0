"""Large content as rows of 1 MiB: written by the owner of the shard alone, and never changed.

A connection of its own for each thread that reads or writes at a time, kept for the next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from ....common.errors import StoreError
from .bounds import begin
from .line import BIGINT, INTEGER, TEXT, DatabaseAway, DatabaseRefused, PostgresLine, Statement
from .remedies import store_error
from .shard import INT4, INT8, Ownership
from .tables import SCHEMA

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

PART_BYTES: Final = 1024 * 1024
PARTS_AT_ONCE: Final = 8  # in one transaction, and in memory
BYTEA: Final = 17
ANSWER_SECONDS: Final = 60.0
WAIT_SECONDS_MAX: Final = 60.0  # for a database that is away; then the caller gets the error
PAUSE_SECONDS: Final = 0.5

OURS: Final = f"EXISTS (SELECT 1 FROM {SCHEMA}.shards WHERE shard = $1 AND owner = $2 AND epoch = $3)"
PUT: Final = (
    f"INSERT INTO {SCHEMA}.contents (shard, hash, part, content) SELECT $1, $4, $5, $6 WHERE {OURS} "
    "ON CONFLICT (shard, hash, part) DO UPDATE SET content = excluded.content"
).encode()
REMOVE: Final = f"DELETE FROM {SCHEMA}.contents WHERE shard = $1 AND hash = $4 AND {OURS}".encode()
READ: Final = (
    "SELECT part, octet_length(content), CASE WHEN part BETWEEN $3 AND $4 THEN content END "
    f"FROM {SCHEMA}.contents WHERE shard = $1 AND hash = $2 AND (part BETWEEN $3 AND $4 OR part >= $5) ORDER BY part"
).encode()
SIZE: Final = (
    f"SELECT sum(octet_length(content)) FROM {SCHEMA}.contents WHERE shard = $1 AND hash = $2".encode()
)
FIRST_BYTES: Final = (
    f"SELECT DISTINCT substring(hash FROM 1 FOR 1) FROM {SCHEMA}.contents WHERE shard = $1 AND part = 0"
).encode()
HASHES: Final = (
    f"SELECT hash FROM {SCHEMA}.contents WHERE shard = $1 AND part = 0 AND substring(hash FROM 1 FOR 1) = $2 LIMIT $3"
).encode()


class DatabaseContents:
    """``held``: what the owner has now. ``connect`` raises DatabaseAway."""

    def __init__(self, held: Callable[[], Ownership], connect: Callable[[], PostgresLine]) -> None:
        self._held, self._connect = held, connect
        self._idle: list[PostgresLine] = []
        self._lock = Lock()
        self._is_open = True

    def put(self, hash: bytes, content: Iterator[bytes]) -> None:
        """``content``: in parts of PART_BYTES. What a failure leaves of it is removed as content that no task names."""
        numbered = enumerate(content)
        while some := list(islice(numbered, PARTS_AT_ONCE)):
            values = [([*self._ours(), hash, INT4(number), part]) for number, part in some]
            types = [INTEGER, TEXT, BIGINT, BYTEA, INTEGER, BYTEA]
            results = self._run([Statement(PUT, one, types) for one in values])
            if any(result.command_tuples != 1 for result in results):
                raise StoreError("another master owns this shard now; send the content again")

    def remove(self, hash: bytes) -> None:
        self._run([Statement(REMOVE, [*self._ours(), hash], [INTEGER, TEXT, BIGINT, BYTEA])])

    def read(self, hash: bytes, size: int, offset: int, length: int) -> tuple[int | None, bytes]:
        """How many bytes it has, None: it is not there; and those that were asked for."""
        last, end = max(0, size - 1) // PART_BYTES, max(offset, min(size, offset + length))
        first, final = offset // PART_BYTES, max(offset, end - 1) // PART_BYTES
        shard = INT4(self._held().shard)
        values = [shard, hash, INT4(first), INT4(final), INT4(last)]
        [result] = self._run([Statement(READ, values, [INTEGER, BYTEA, INTEGER, INTEGER, INTEGER])])
        if not result.ntuples:
            return None, b""
        found = b"".join(result.get_value(row, 2) or b"" for row in range(result.ntuples))
        newest = result.ntuples - 1
        has = _number(result, newest, 0) * PART_BYTES + _number(result, newest, 1)
        begin = offset - first * PART_BYTES
        return has, found[begin : begin + end - offset]

    def size_of(self, hash: bytes) -> int | None:
        [result] = self._run([Statement(SIZE, [INT4(self._held().shard), hash], [INTEGER, BYTEA])])
        return None if result.get_value(0, 0) is None else _number(result, 0, 0)

    def first_bytes(self) -> list[bytes]:
        """Of the hashes that are there."""
        [result] = self._run([Statement(FIRST_BYTES, [INT4(self._held().shard)], [INTEGER])])
        return sorted(_column(result))

    def hashes(self, first_byte: bytes, most: int) -> list[bytes]:
        values = [INT4(self._held().shard), first_byte, INT8(most)]
        [result] = self._run([Statement(HASHES, values, [INTEGER, BYTEA, BIGINT])])
        return list(_column(result))

    def close(self) -> None:
        with self._lock:
            self._is_open = False
            lines, self._idle = self._idle, []
        for line in lines:
            line.close()

    def _ours(self) -> list[bytes]:
        held = self._held()
        return [INT4(held.shard), held.owner.encode(), INT8(held.epoch)]

    def _run(self, statements: Sequence[Statement]) -> list[PGresult]:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            try:
                return self._once(statements)
            except DatabaseAway as error:
                if not self._is_open or time.monotonic() > deadline:
                    raise StoreError(f"the database does not answer: {error}; try again") from error
                time.sleep(PAUSE_SECONDS)
            except DatabaseRefused as error:
                raise store_error(error.code, str(error)) from error

    def _once(self, statements: Sequence[Statement]) -> list[PGresult]:
        with self._lock:
            line = self._idle.pop() if self._idle else None
        line = line or self._connect()
        try:
            return line.transact(begin(ANSWER_SECONDS), statements, ANSWER_SECONDS)
        finally:
            # After an error, too: the database may refuse all for hours, and each refusal would leave a connection open.
            self._keep(line)

    def _keep(self, line: PostgresLine) -> None:
        with self._lock:
            if self._is_open and line.is_open:
                self._idle.append(line)
                return
        line.close()


def _number(result: PGresult, row: int, column: int) -> int:
    return int.from_bytes(result.get_value(row, column) or b"", "big", signed=True)


def _column(result: PGresult) -> Iterable[Any]:
    return (result.get_value(row, 0) or b"" for row in range(result.ntuples))
