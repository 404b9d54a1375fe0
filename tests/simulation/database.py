"""A database that several masters share: it runs what the shipped store sends, in transactions, on a clock of its own.

It may refuse, stall, answer late, lose an answer, be restarted, be cut off from a host, and go back to what it was a while ago, as after
a fail-over to a standby that asynchronous replication had not reached.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from tq.master.store.postgres.line import DatabaseAway, DatabaseRefused, Statement
from tq.master.store.postgres.remedies import NOT_MINE, WAITABLE
from tq.master.store.postgres.store import schema_tables
from tq.master.store.postgres.tables import FIRST, SEQUENCE_TABLE, creation

from .dialect import ROWS, Result, translated, values_of
from .world import MS, SECOND, Process, World

EPOCH: Final = 1_600_000_000.0  # of its clock, which no other process has
MOST_COLUMNS: Final = 64  # of one table
RESTARTS: Final = "57P03"
NO_LAG: Final = (0, 0)


class Database:
    """``committed`` is called when a transaction is durable. It outlives its connections."""

    def __init__(self, world: World, random: Random) -> None:
        self.world, self.random = world, random
        self.process = Process(world, "database")
        self.slowest = 2 * MS
        self.refuses = ""  # the code of its error
        self.stalled_until = 0
        self.generation = 0  # connections of an earlier one are gone
        self.loses_answers = 0  # of so many commits
        self.cut_until: dict[str, int] = {}  # of each host
        self.lags = NO_LAG  # answers are late by so long, from and to
        self.lags_of: dict[str, tuple[int, int]] = {}  # those to a host
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.create_function("clock_timestamp", 0, lambda: self.now)
        self._db.create_function("greatest", -1, _greatest)
        self._db.create_function(
            "encode", 2, lambda value, form: None if value is None else bytes(value).hex()
        )
        self._db.create_function("starts_with", 2, lambda text, start: (text or "").startswith(start or " "))
        tables = [*FIRST[1:4], *map(creation, [*schema_tables(), SEQUENCE_TABLE])]
        for text in tables:
            self._db.execute(translated(text.encode()).sql)
        for number in range(1, MOST_COLUMNS):
            columns = ", ".join(f"c{place}" for place in range(number))
            self._db.execute(f"CREATE TEMP TABLE {ROWS.format(number)} ({columns})")

    @property
    def now(self) -> float:
        return EPOCH + self.world.now / SECOND

    def delay(self) -> int:
        return self.random.randint(100, self.slowest)

    def lag(self, host: str) -> int:
        """By how long this answer is late."""
        between = self.lags_of.get(host, self.lags)
        return self.random.randint(*between) if between != NO_LAG else 0

    def close(self) -> None:
        self._db.close()

    # what it is asked for

    def ask(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """For who looks on."""
        return self._db.execute(sql, values).fetchall()

    def refuse(self) -> None:
        if self.refuses:
            kind = DatabaseAway if self.refuses in WAITABLE else None
            if kind is not None:
                raise kind("the database system is starting up")
            raise DatabaseRefused(self.refuses, "could not extend a file: no space left on device")

    def transact(self, statements: Sequence[Statement]) -> list[Result]:
        """All of them, or an error and nothing."""
        self.refuse()
        self._db.execute("BEGIN")
        try:
            results = [self._one(statement) for statement in statements]
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return results

    def _one(self, statement: Statement) -> Result:
        text = translated(statement.text)
        if text.does_nothing:
            return Result()
        plain, rows = values_of(statement)
        if text.rows:
            table = ROWS.format(text.rows)
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of ours
            places = ", ".join("?" * text.rows)
            self._db.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 - the same
        cursor = self._db.execute(text.sql, plain)
        found = cursor.fetchall()
        if text.must_change and not cursor.rowcount:
            raise DatabaseRefused(NOT_MINE, "division by zero")
        return Result(found, max(0, cursor.rowcount))

    # what befalls it

    def restart(self) -> None:
        """Its connections are gone; what was committed is there."""
        self.generation += 1

    def copy(self) -> sqlite3.Connection:
        """As a standby has it that gets no more from now on."""
        standby = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.backup(standby)
        return standby

    def go_back(self, standby: sqlite3.Connection) -> None:
        """That one takes over."""
        self.restart()
        standby.backup(self._db)
        standby.close()


def _greatest(*values: Any) -> Any:
    """As PostgreSQL has it: what is NULL does not count."""
    return max((one for one in values if one is not None), default=None)


class Transaction:
    """Of a connection that sends one statement after another; nothing of others comes in between."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def execute(self, text: str | bytes, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        one = translated(text if isinstance(text, bytes) else text.encode())
        return self._database._db.execute("SELECT 1 WHERE false" if one.does_nothing else one.sql, values)
