"""Running named statements: the only places that talk to SQLite while it serves, and what they make of its errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ....common.errors import StoreError
from ..interface.store import Inconsistent
from .remedies import Trouble, is_damage, store_error

FAILURES: Final = (sqlite3.Error, MemoryError)  # SQLite's own want of memory comes as Python's


class StatementExecutor:
    """What the verbs of each subject are made of."""

    _db: sqlite3.Connection
    _sql: Mapping[str, str]
    _on_damage: Callable[[str], None]
    damage: str
    _to_begin: str | None = None  # the transaction that the next statement begins
    _changes_before = 0  # of all that this handle has done
    _write: Callable[[], None] | None = None  # what is not written yet

    def before_looks(self, write: Callable[[], None]) -> None:
        self._write = write

    def settle(self) -> None:
        write = self._write
        if write is not None:
            self._write = None  # what it does looks at what is written
            try:
                write()
            finally:
                self._write = write

    def _start(self) -> None:
        """Begin the transaction. If that fails, the next statement tries it again: none is done outside of one."""
        sql, self._to_begin = self._to_begin, None
        if sql is not None:
            try:
                self._run(sql)
            except BaseException:
                self._to_begin = sql
                raise
            # Of this handle since it was opened: what counts is the difference.
            self._changes_before = self._db.total_changes

    def _run(self, sql: str, values: Any = ()) -> list[Any]:
        if self._to_begin is not None:
            self._start()
        try:
            return self._db.execute(sql, values).fetchall()
        except FAILURES as error:
            raise self._failed(error) from error

    def _failed(self, error: Trouble) -> StoreError:
        failure = store_error(error)
        if is_damage(error) and not self.damage:
            self.damage = str(failure)
            self._on_damage(self.damage)
        return failure

    def _all(self, name: str, values: Any = ()) -> list[Any]:
        return self._run(self._sql[name], values)

    def _many(self, name: str, rows: Sequence[Any]) -> int:
        if not rows:
            return 0
        if self._to_begin is not None:
            self._start()
        try:
            return self._db.executemany(self._sql[name], rows).rowcount
        except FAILURES as error:
            raise self._failed(error) from error

    def _exactly(self, name: str, rows: Sequence[Any]) -> None:
        applied = self._many(name, rows)
        if applied != len(rows):
            raise Inconsistent(f"{name}: {applied} of {len(rows)} rows were as expected")

    def _value(self, name: str) -> int | None:
        value = self._all(name)[0][0]
        return None if value is None else int(value)
