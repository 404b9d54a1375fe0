"""The store of a master whose truth is a PostgreSQL database.

A shard has exactly one owner, so what its owner keeps is a coherent copy: the engine works on a private SQLite database, with the
same statements as the embedded store, and never waits for the network. ``commit`` sends what the transaction has changed as rows,
in one pipeline that is conditional on this owner; only when the database has answered is the copy committed too.

::

    verbs ─► working copy (SQLite) ── triggers ─► rows that changed
    commit ─► condition + rows + COMMIT ─► PostgreSQL answers ─► the copy is committed

What can happen in between, and what follows: the database refuses (the copy is rolled back, nothing was done); it does not answer
(the same is sent again, which is done once); this process dies (the copy lacks a commit that the database has: the next start sees
that by the numbers, and loads all); the copy cannot be committed (it is loaded again, see recovery.py).
"""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ....common.contract.observe import MasterRow
from ....common.errors import ConfigError, StoreError
from ..interface.store import Displaced, OwnedElsewhere
from ..sqlite.executor import FAILURES
from ..sqlite.store import SqliteStore, migrate, newest_schema
from . import working_copy
from .address import DatabaseAddress
from .changes import Capture
from .contents import DatabaseContents
from .line import INTEGER, DatabaseAway, PostgresLine, Statement
from .loading import load, rows_of
from .masters import Me
from .newest_tables import newest
from .recovery import LoadProgress, Recovery
from .remedies import cannot_open
from .schema import check_rights, prepare, warn_of
from .shard import INT4, OwnersCommits, ShardRow, claim, release
from .shard_renewal import ShardRenewal
from .shipping import statements
from .tables import OWN, SCHEMA, KeptTable
from .tenure import Tenure, clock
from .waiting import DatabaseWait

CONNECT_SECONDS_MAX: Final = 10
MIGRATED: Final = f"UPDATE {SCHEMA}.shards SET schema = $2 WHERE shard = $1".encode()
FIRST_SHARD: Final = 0  # what is the cluster's is there; who owns it owns all
THIS_START: Final = secrets.token_hex(
    3
)  # in containers, host and process of two masters may have the same names


def new_owner(me: Me | None = None) -> str:
    """Names one start of one master: for people, and never twice."""
    return f"{new_id() if me is None else me.id}:{secrets.token_hex(4)}"


def new_id() -> str:
    """Of the master that this process is."""
    return f"{socket.gethostname()}:{os.getpid()}-{THIS_START}"


class PostgresStore(SqliteStore):
    """``folder``: where the working copy is kept; None: in memory, loaded at each start. ``says_here``: it says for its master
    that this one is here. ``is_checked``: its master has prepared the database."""

    def __init__(
        self,
        address: DatabaseAddress,
        folder: Path | None,
        *,
        shard: int = FIRST_SHARD,
        durable: bool = True,
        report: Callable[..., Any] = lambda *_, **__: None,
        me: Me | None = None,
        says_here: bool = True,
        is_checked: bool = False,
        lost: Callable[[str], Any] = lambda reason: None,
        on_damage: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._address, self._folder, self._shard, self._durable = address, folder, shard, durable
        self._report, self._me, self._lost, self._says_here = report, me, lost, says_here
        self._is_checked = is_checked
        self.renewal: ShardRenewal | None = None
        self._before: ShardRow | None = None  # the shard, before it was claimed; None: it is new
        self._owner: str | None = None  # since the last claim
        self._displaced: Displaced | None = None
        self._is_behind = False  # the copy lacks a commit, or has one too many
        self._recovery: Recovery | None = None  # under way, or over and not taken yet
        self._progress = LoadProgress(report)
        self.is_open = True
        self.committer = self._claim()
        self._contents = DatabaseContents(lambda: self.committer.held, self._connect_line)
        path = None if folder is None else folder / working_copy.FILE
        try:
            if path is not None:
                self._is_behind = not working_copy.is_exact(path, self._before, newest_schema())
                if self._is_behind:
                    working_copy.remove(path)
            super().__init__(path, "memory" if path is None else "os", on_damage)
        except BaseException:
            self._end_renewal()
            self.committer.close()
            raise

    def contents(self) -> DatabaseContents:
        """Of this shard."""
        return self._contents

    def introduce(self, me: Me) -> None:
        """How the others see this master from now on. For the store that says it."""
        self._me = me
        if self.renewal is not None:
            self.renewal.me = me

    def masters(self) -> list[MasterRow]:
        """Those of this database."""
        return [] if self.renewal is None else self.renewal.masters()

    # opening

    def _claim(self) -> OwnersCommits:
        """The shard is this owner's from here on. Raises ConfigError."""
        import psycopg

        try:
            line = self._connect_line()
        except DatabaseAway as error:
            raise cannot_open(self._address, str(error)) from error
        try:
            if not self._is_checked:
                check(line, self._address)
                if self._says_here:
                    warn_of(line, self._report, durable=self._durable)
            owner = new_owner(self._me)
            last = self._owner or (None if self._folder is None else working_copy.last_owner(self._folder))
            asked = clock()
            held, self._before = claim(line, self._shard, owner, last, newest_schema())
            self._owner = owner
            if self._folder is not None:
                working_copy.keep_owner(self._folder, owner)
        except psycopg.Error as error:
            line.close()
            raise cannot_open(self._address, str(error).splitlines()[0]) from error
        except BaseException:
            line.close()
            raise
        # From here on, for the rows may take longer to load than a lease lasts.
        self.tenure = Tenure(asked)
        me = self._me if self._says_here else None
        self.renewal = ShardRenewal(held, self._connect_line, me, self._lost, self.tenure)
        wait = DatabaseWait(str(self._address), self._report)
        return OwnersCommits(held, line, self._connect_line, wait, durable=self._durable, tenure=self.tenure)

    def _end_renewal(self) -> None:
        if self.renewal is not None:
            self.renewal.close()

    def _connect_line(self) -> PostgresLine:
        return PostgresLine(self._address, CONNECT_SECONDS_MAX)

    def _prepare(self, db: sqlite3.Connection) -> None:
        held = self.committer.held
        if self._folder is not None and not self._is_behind:  # it is the database's, as it is
            working_copy.describe(db, held)
            self._capture = Capture(db)
            return
        row, version = self._before, newest_schema()
        have = version if row is None else min(row.schema, version)
        if have == version:
            newest.copy_to(db)
        else:
            migrate(db, self._path, have)
        if row is not None and row.last_commit:
            line = self.committer.line or self._connect_line()
            load_rows(line, self._shard, db, self._progress, self._address)
        working_copy.describe(db, held)
        self._capture = Capture(db, coarse=have < version)
        if have < version:
            migrate(db, self._path)
            self._capture.renew()
        if row is None or not row.last_commit:
            for table in self._capture.tables:
                self._capture.whole(table)
        self._ship_opening(db, version if have < version else None)
        self._is_behind = False

    def _ship_opening(self, db: sqlite3.Connection, schema: int | None) -> None:
        """What a new shard, or a migration, has in its tables."""
        db.execute("BEGIN IMMEDIATE")
        changes = self._capture.read()
        if changes or schema is not None:
            more = (
                []
                if schema is None
                else [Statement(MIGRATED, [INT4(self._shard), INT4(schema)], [INTEGER] * 2)]
            )
            db.execute(f"UPDATE {OWN} SET last_commit = last_commit + 1")
            self.committer.commit([*statements(self._shard, changes), *more])
            self._capture.shipped(changes)
        self._capture.clear()
        db.execute("COMMIT")

    # transactions

    @property
    def away(self) -> str:
        if self.committer.away or self.is_certain:
            return self.committer.away
        return f"it has not confirmed for {self.tenure.unconfirmed_seconds:.0f} s that this master owns the state"

    @property
    def is_certain(self) -> bool:
        # One that is about to be loaded again is read by none, and its engine has to run to have it loaded.
        is_unread = self._recovery is not None or self._is_behind or self._displaced is not None
        return is_unread or self.tenure.is_certain

    def commit(self) -> None:
        """Waits for the database, without end while it is away: nothing is lost meanwhile. Displaced, when this owner's time is over."""
        self.counts.write()
        if self._to_begin is None and self.changed:
            try:
                self._ship()
            except FAILURES as error:
                raise self._failed(error) from error
        super().commit()
        self._is_behind = False

    def _ship(self) -> None:
        changes = self._capture.read()
        if not changes:
            return
        self._db.execute(f"UPDATE {OWN} SET last_commit = last_commit + 1")
        self._capture.clear()
        try:
            self.committer.commit(statements(self._shard, changes))
        except Displaced as error:
            self._displaced = error
            raise
        self._is_behind = True  # until the copy is committed
        self._capture.shipped(changes)

    def reopen(self) -> None:
        if self._displaced is not None and not self._displaced.gone_back:
            raise self._displaced
        if self._recovery is None and not self._is_behind and self._displaced is None:
            working_copy.end_transaction(self._db)
            super().reopen()
            return
        if self._recovery is None:
            self._report(
                "database.loads", level="warning", reason=str(self._displaced or "the working copy failed")
            )
            self.slices.forget()
            self.counts.forget()
            self._to_begin = None
            self._recovery = Recovery(self._load_again, self._report)
        if not self._recovery.is_over:
            raise StoreError(self._recovery.text)
        over, self._recovery = self._recovery, None
        over.take()

    @property
    def recovering(self) -> str:
        return "" if self._recovery is None else self._recovery.text

    def _load_again(self, progress: LoadProgress) -> None:
        """The copy is not what the database has: it is made again, in a thread, while no other uses this store."""
        self._progress = progress
        try:
            self._db.close()
            self._end_renewal()
            self.committer.close()
            self._is_checked = False  # it may be an older copy, made by an older master
            self.committer = self._claim()
            self._is_behind, self._displaced = True, None
            if self._path is not None:
                working_copy.remove(self._path)
            self._db = self._connect()
        except OwnedElsewhere as error:
            self._displaced = Displaced(str(error))
            self._lost(str(error))
            raise self._displaced from error
        except (*FAILURES, OSError) as error:
            raise StoreError(f"the working copy cannot be made: {error}") from error
        except ConfigError as error:
            raise StoreError(str(error)) from error

    def close(self, *, moves: bool = False) -> None:
        """``moves``: another master is to take the shard at once, so that this copy will be of no use."""
        if not self.is_open:
            return
        self.is_open = False
        if self._recovery is not None:
            self.committer.close()  # whose line it may wait for
            if not self._recovery.give_up():
                return  # the process ends, and the thread with it
        line, held = self.committer.line, self.committer.held
        # First: a renewal after the release would keep the others away.
        self._end_renewal()
        try:
            if self._path is not None and not (moves or self._is_behind) and self._displaced is None:
                working_copy.end_transaction(self._db)
                working_copy.say_closed(self._db)
            if line is not None and self._displaced is None:
                release(line, held)
        except Exception as error:  # what it would have saved is only the time of the next start
            self._report("database.not_released", level="warning", error=str(error))
        finally:
            self._contents.close()
            self.committer.close()
            self._db.close()


def load_rows(
    line: PostgresLine, shard: int, db: sqlite3.Connection, progress: LoadProgress, address: DatabaseAddress
) -> None:
    """All that the database has of a shard. Raises StoreAway."""
    import psycopg

    try:
        load(line, shard, db, progress.loaded)
    except (DatabaseAway, psycopg.Error) as error:
        raise cannot_open(address, str(error).splitlines()[0]) from error
    progress.ended()


def check(line: PostgresLine, address: DatabaseAddress) -> None:
    """That the database has what a master needs: what is missing is made. Raises ConfigError."""
    prepare(line, address, schema_tables(), newest_schema())
    check_rights(line, address)


def schema_tables() -> list[KeptTable]:
    """Of the newest schema."""
    return newest.tables()


def rows_of_first(store: PostgresStore, name: str) -> list[dict[str, Any]]:
    """A table of the first shard, as the database has it now. ``store``: of any shard, while it is being opened. Raises psycopg.Error."""
    line = store.committer.line
    assert line is not None  # noqa: S101 - it has just been loaded over it
    [table] = [one for one in schema_tables() if one.name == name]
    columns = [column.name for column in table.columns]
    return [dict(zip(columns, row, strict=True)) for row in rows_of(line, FIRST_SHARD, table)]


__all__ = ["PostgresStore"]
