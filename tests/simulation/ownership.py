"""Several masters of one database: what must be so of who owns it.

::

    A1  what is committed is the owner's, in its epoch, behind its last commit, and once
    A2  no master takes it from an owner whose time is not over, by the database's clock; no time is longer than a lease
    A3  no master performs a transaction, also one that only reads, on a state that another one has taken over
    A4  what an owner has in its copy is what the database has
    A5  when nothing is in trouble any more, a master serves within a bound
    A6  a database that went back, and so lost what was acknowledged, is spoken of by the master that had committed it
"""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tq.master.store.postgres.loading import rows_of
from tq.master.store.postgres.tables import SEQUENCE_TABLE, KeptTable, names, quoted
from tq.master.store.postgres.tenure import LEASE_SECONDS

from .database import Database
from .database_line import Cursor
from .oracle import Broken

if TYPE_CHECKING:
    from .hosts import SharedStore

ROUNDED: Final = 0.001  # seconds


class OwnerRow(NamedTuple):
    owner: str
    epoch: int
    until: float | None
    last_commit: int


NO_OWNER: Final = OwnerRow("", 0, None, 0)


def machine_of(owner: str) -> str:
    """The master that an owner was a term of."""
    return owner.rpartition(":")[0]


class OwnershipLaws:
    """Of one shard. ``are_same``: whether a master is the one that another was, which is known to be gone."""

    def __init__(
        self, database: Database, shard: int = 0, are_same: Callable[[str, str], bool] = operator.eq
    ) -> None:
        self._database, self._shard, self._are_same = database, shard, are_same
        self.row = NO_OWNER
        self.take_overs = self.gone_back = 0
        self._unsaid: dict[str, str] = {}  # masters that have lost commits, and have not said so

    def look(self) -> None:
        """After each transaction of any master."""
        before, now = self.row, self._database.now
        asked = "SELECT owner, epoch, until, last_commit FROM shards WHERE shard = ?"
        for row in self._database.ask(asked, (self._shard,)):
            self.row = OwnerRow(*row)
        if self.row.owner != before.owner:
            self.take_overs += 1
            is_other = not self._are_same(machine_of(before.owner), machine_of(self.row.owner))
            if is_other and before.until is not None and before.until > now + ROUNDED:
                raise Broken(
                    "A2",
                    f"{self.row.owner} took it from {before.owner}, which had {before.until - now:.1f} s left",
                )
            if self.row.epoch <= before.epoch:
                raise Broken(
                    "A2", f"{self.row.owner} has epoch {self.row.epoch}, the one before {before.epoch}"
                )
        if self.row.until is not None and self.row.until > now + LEASE_SECONDS + ROUNDED:
            raise Broken("A2", f"{self.row.owner} has it for {self.row.until - now:.0f} s")

    def committed(self, store: SharedStore) -> None:
        """An owner's transaction is durable; before ``look``."""
        held, row = store.committer.held, self.row
        if (held.owner, held.epoch, held.last_commit) != (row.owner, row.epoch, row.last_commit):
            raise Broken(
                "A1",
                f"{held.owner} of epoch {held.epoch} has committed behind its {held.last_commit}, and {row.owner} of epoch "
                f"{row.epoch} owns it, whose last commit is {row.last_commit}",
            )

    def begins(self, store: SharedStore) -> None:
        """A transaction of a master's begins."""
        held, row = store.committer.held, self.row
        if row.owner != held.owner and row.epoch > held.epoch and store.reads_for_others:
            raise Broken(
                "A3",
                f"{held.owner} reads what it owned in epoch {held.epoch}, {row.owner} owns it in {row.epoch}",
            )

    def compare(self, store: SharedStore, copy: sqlite3.Connection, tables: list[KeptTable]) -> None:
        """A4, while the transaction stands in the copy."""
        reader: Any = Reader(self._database)
        for table in tables:
            here = copy.execute(
                f"SELECT {names(table.columns)} FROM main.{quoted(table.name)} ORDER BY {names(table.key)}"  # noqa: S608 - its own names
            ).fetchall()
            there = list(rows_of(reader, self._shard, table))
            if here != there:
                raise Broken("A4", _difference(table.name, here, there))
        there = sorted(rows_of(reader, self._shard, SEQUENCE_TABLE))
        if (here := sorted(copy.execute("SELECT name, seq FROM sqlite_sequence"))) != there:
            raise Broken("A4", _difference("sqlite_sequence", here, there))

    def went_back(self, lost: int) -> None:
        """The database has lost the last commits of its owner."""
        before = self.row
        self.gone_back += 1
        if lost:
            self._unsaid[machine_of(before.owner)] = f"{lost} commits of {before.owner}"
        self.row = NO_OWNER
        self.look()

    def said(self, master: str, text: str) -> None:
        if "gone back" in text:
            self._unsaid.pop(master, None)

    def is_gone(self, master: str) -> None:
        """Who died has nothing to say."""
        self._unsaid.pop(master, None)

    def judge(self) -> None:
        for master, what in self._unsaid.items():
            raise Broken("A6", f"the database has lost {what}, and {master} has not said so")


class Reader:
    """What ``rows_of`` reads by."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def connection(self) -> Reader:
        return self

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()

    def cursor(self, name: str = "", *, binary: bool = False) -> Cursor:
        return Cursor(self._database)


def _difference(table: str, here: list[Any], there: list[Any]) -> str:
    only_here = [row for row in here if row not in there][:1]
    only_there = [row for row in there if row not in here][:1]
    return f"of {table} its owner has {len(here)} rows, {only_here} of them alone; the database {len(there)}, {only_there} alone"
