"""A connection of a simulated master to the simulated database, in the place of ``PostgresLine``.

A question travels, is done or refused, and its answer travels back; the code that asked waits for it as long as the shipped code says, while
other processes go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tq.master.store.postgres.line import DatabaseAway, DatabaseRefused, Statement

from .database import Database, Transaction
from .dialect import Result
from .fibers import Event
from .world import Process

Done = Callable[[Sequence[Statement]], None]


class DatabaseLine:
    """``host``: whose it is. ``done`` is called when a transaction of it is durable, also if no answer arrives."""

    def __init__(
        self, database: Database, process: Process, host: str, done: Done, seconds_max: float
    ) -> None:
        self._database, self._process, self._host, self._done = database, process, host, done
        self._generation = database.generation
        self.is_open, self._in_transaction = True, False
        self.address = "postgresql://simulated"
        self._exchange(self._join, seconds_max)

    def _join(self) -> None:
        self._database.refuse()
        self._generation = self._database.generation

    @property
    def connection(self) -> DatabaseLine:
        """For single statements."""
        return self

    def close(self) -> None:
        self.is_open = False

    def run(self, statements: Sequence[Statement], seconds_max: float) -> list[Result]:
        """See ``PostgresLine.run``."""

        def do() -> list[Result]:
            results = self._database.transact(statements)
            self._done(statements)
            return results

        return self._exchange(do, seconds_max)

    def transact(
        self, beginning: Sequence[Statement], statements: Sequence[Statement], seconds_max: float
    ) -> list[Result]:
        """See ``PostgresLine.transact``."""
        return self.run([*beginning, *statements], seconds_max)[len(beginning) :]

    def _exchange(self, do: Callable[[], Any], seconds_max: float) -> Any:
        """What it came to. Raises DatabaseAway when there is no answer in time."""
        if not self.is_open:
            raise DatabaseAway("the connection is closed")
        database, answered = self._database, Event()
        answer: list[Any] = []

        def arrive() -> None:
            held_up = max(database.stalled_until, database.cut_until.get(self._host, 0)) - database.world.now
            if held_up > 0:
                database.world.schedule(held_up + database.delay(), database.process, arrive)
                return
            if self._generation != database.generation:
                say(DatabaseAway("the connection is lost"))
                return
            try:
                value = do()
            except (DatabaseAway, DatabaseRefused) as error:
                say(error)
            else:
                if database.loses_answers:
                    database.loses_answers -= 1
                    say(DatabaseAway("the connection is lost"))
                else:
                    say(value)

        def say(what: Any) -> None:
            late = database.lag(self._host)
            held_up = max(0, database.cut_until.get(self._host, 0) - database.world.now)
            self._process.later(database.delay() + late + held_up, lambda: take(what))

        def take(what: Any) -> None:
            answer.append(what)
            answered.set()

        database.world.schedule(database.delay(), database.process, arrive)
        answered.wait(seconds_max)
        if not answer:
            self.close()
            raise DatabaseAway("the database does not answer")
        if isinstance(answer[0], DatabaseAway):
            self.close()
        if isinstance(answer[0], Exception):
            raise answer[0]
        return answer[0]

    # as a connection of psycopg is used

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All within it happens at one moment, after the way there and before the way back. One within another is a part of it."""
        if self._in_transaction:
            yield
            return
        self._here()
        db = self._database._db
        db.execute("BEGIN")
        self._in_transaction = True
        try:
            yield
        except BaseException:
            db.execute("ROLLBACK")
            raise
        finally:
            self._in_transaction = False
        db.execute("COMMIT")
        self._done(())
        self._here()

    def _here(self) -> None:
        import psycopg

        try:
            self._exchange(self._database.refuse, 10.0)
        except (DatabaseAway, DatabaseRefused) as error:
            raise psycopg.OperationalError(str(error)) from error

    def execute(self, text: str | bytes, values: Sequence[Any] = ()) -> Any:
        if not self._in_transaction:
            self._here()
        cursor = Transaction(self._database).execute(text, values)
        if not self._in_transaction:
            self._done(())
        return cursor

    def cursor(self, name: str = "", *, binary: bool = False) -> Cursor:
        return Cursor(self._database)


class Cursor:
    """Of rows that are read at a start."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None: ...
    def execute(self, text: bytes) -> None:
        self._cursor = Transaction(self._database).execute(text)

    def fetchmany(self, most: int) -> list[Any]:
        return self._cursor.fetchmany(most)

    def copy(self, text: bytes) -> Cursor:
        self.execute(text.removeprefix(b"COPY (").removesuffix(b") TO STDOUT (FORMAT binary)"))
        return self

    def set_types(self, types: Sequence[str]) -> None:
        """They are what they are."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._cursor)
