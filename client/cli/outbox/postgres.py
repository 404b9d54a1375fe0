"""An outbox in PostgreSQL.

A claim is a transaction that holds the locks of its rows (SKIP LOCKED) while the master is asked, so that relays share the work, and what a
dead relay had claimed is free at once. It is short, and the server ends one that is not: a relay that is stopped keeps no rows.

Nothing outlives a transaction but LISTEN, which only makes it faster: behind PgBouncer in transaction mode rows are found by polling.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import UUID

from ....common.errors import ConfigError
from ...outbox.table import CHANNEL, REFUSED, SENT, WAITING, postgres_ddl, table_name
from .database import ClaimedRow, DatabaseLost, OutboxCounts, OutboxMissing, RefusedRow, SentRow

HELD_SECONDS_MAX: Final = 90  # more than a relay waits for a master
CONNECT_SECONDS: Final = 10
ANY_TEXT: Final = ("UTF8", "SQL_ASCII")  # encodings of databases that take each character
WAIT_SECONDS: Final = 1.0  # without a look whether the relay is to end


class PostgresOutboxTable:
    """``shown``: the address without a password. ``stopped``: set when the relay is to end, which ends a wait."""

    def __init__(
        self,
        address: str,
        shown: str,
        *,
        schema: str | None = None,
        listens: bool = False,
        stopped: threading.Event | None = None,
    ) -> None:
        self.shown, self._schema, self._table = shown, schema, table_name(schema)
        self._stopped = stopped or threading.Event()
        self._listens = listens
        try:
            import psycopg
        except ImportError as error:
            raise ConfigError(
                "an outbox in PostgreSQL takes the driver psycopg, which is not installed: pip install 'tq[postgres]'"
            ) from error
        self._psycopg: Any = psycopg
        try:
            # No prepared statements: behind PgBouncer the next transaction may be on another connection.
            self._db: Any = psycopg.connect(
                address,
                autocommit=True,
                prepare_threshold=None,
                connect_timeout=CONNECT_SECONDS,
                application_name="tq outbox",
                client_encoding="utf8",  # from a database in SQL_ASCII texts would come as bytes
            )
            if listens:
                self._db.execute(f"LISTEN {CHANNEL}")
        except psycopg.ProgrammingError as error:
            raise ConfigError(f"{shown} is not a PostgreSQL address: {_line(error)}") from error
        except psycopg.Error as error:
            raise DatabaseLost(f"{shown} does not let us in: {_line(error)}") from error

    def make(self, *, notifies: bool) -> None:
        with self._errors(), self._db.transaction():
            self._db.execute(postgres_ddl(self._schema, notifies=notifies))

    def claim(self, limit: int, queues: Collection[str], positions: Collection[int]) -> list[ClaimedRow]:
        with self._errors():
            self._begin()
            rows = self._db.execute(
                f"SELECT position, id, queue, task, body FROM {self._table} WHERE state = '{WAITING}' AND queue <> ALL (%s) "
                "AND position <> ALL (%s) ORDER BY position LIMIT %s FOR UPDATE SKIP LOCKED",
                (list(queues), list(positions), limit),
            ).fetchall()
        if not rows:
            self.release()
        return [ClaimedRow(position, id.bytes, *rest) for position, id, *rest in rows]

    def settle(self, sent: Sequence[int], refused: Sequence[tuple[int, str]]) -> None:
        with self._errors():
            if sent:
                self._db.execute(
                    f"UPDATE {self._table} SET state = '{SENT}', moment = now() WHERE position = ANY (%s)",
                    (list(sent),),
                )
            for position, reason in refused:
                self._db.execute(
                    f"UPDATE {self._table} SET state = '{REFUSED}', moment = now(), reason = %s WHERE position = %s",
                    (self._written(reason), position),
                )
            self._db.execute("COMMIT")

    def take_sent(self, seconds: float, limit: int) -> list[SentRow]:
        with self._errors():
            self._begin()
            rows = self._db.execute(
                f"SELECT position, id FROM {self._table} WHERE state = '{SENT}' AND moment <= now() - make_interval(secs => %s) "
                "ORDER BY moment LIMIT %s FOR UPDATE SKIP LOCKED",
                (seconds, limit),
            ).fetchall()
        if not rows:
            self.release()
        return [SentRow(position, id.bytes) for position, id in rows]

    def delete(self, positions: Sequence[int]) -> None:
        with self._errors():
            self._db.execute(f"DELETE FROM {self._table} WHERE position = ANY (%s)", (list(positions),))
            self._db.execute("COMMIT")

    def release(self) -> None:
        with suppress(self._psycopg.Error):
            self._db.execute("ROLLBACK")

    def wait(self, seconds: float) -> None:
        if not self._listens:
            self._stopped.wait(seconds)
            return
        with self._errors():
            # In portions: a signal sets ``stopped``, and wakes nothing here.
            while seconds > 0 and not self._stopped.is_set():
                for _ in self._db.notifies(timeout=min(seconds, WAIT_SECONDS), stop_after=1):
                    return
                seconds -= WAIT_SECONDS

    def counts(self) -> OutboxCounts:
        with self._errors():
            found = dict(
                self._db.execute(f"SELECT state, count(*) FROM {self._table} GROUP BY state").fetchall()
            )
            [(oldest,)] = self._db.execute(
                f"SELECT extract(epoch FROM min(created))::float8 FROM {self._table} WHERE state = '{WAITING}'"
            ).fetchall()
        return OutboxCounts(found.get(WAITING, 0), oldest, found.get(SENT, 0), found.get(REFUSED, 0))

    def refused(self, limit: int) -> list[RefusedRow]:
        with self._errors():
            rows = self._db.execute(
                f"SELECT id, extract(epoch FROM created)::float8, queue, task, tasks, reason FROM {self._table} "
                f"WHERE state = '{REFUSED}' ORDER BY position DESC LIMIT %s",
                (limit,),
            ).fetchall()
        return [RefusedRow(id.bytes, *rest) for id, *rest in rows]

    def retry(self, ids: Sequence[bytes] | None, *, sent: bool) -> int:
        change = f"UPDATE {self._table} SET state = '{WAITING}', moment = NULL, reason = NULL"
        return self._changed(change, SENT if sent else REFUSED, ids)

    def discard(self, ids: Sequence[bytes] | None) -> int:
        return self._changed(f"DELETE FROM {self._table}", REFUSED, ids)

    def close(self) -> None:
        self._db.close()

    def _changed(self, change: str, state: str, ids: Sequence[bytes] | None) -> int:
        with self._errors():
            if ids is None:
                return int(self._db.execute(f"{change} WHERE state = %s", (state,)).rowcount)
            named = [UUID(bytes=id) for id in ids]
            return int(
                self._db.execute(f"{change} WHERE state = %s AND id = ANY (%s)", (state, named)).rowcount
            )

    def _written(self, reason: str) -> str:
        """As the database can hold it: a reason that it refuses would keep its row, and all others, from being settled."""
        if self._db.info.parameter_status("server_encoding") not in ANY_TEXT:
            reason = reason.encode("ascii", "backslashreplace").decode()
        return reason.replace("\0", "?")

    def _begin(self) -> None:
        self._db.execute("BEGIN")
        self._db.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{HELD_SECONDS_MAX}s'")
        # The mark that a row is sent must outlive a crash of the server: the master forgets the row after it.
        self._db.execute("SET LOCAL synchronous_commit = on")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        errors = self._psycopg.errors
        try:
            yield
        except (errors.UndefinedTable, errors.InvalidSchemaName) as error:
            self.release()
            of = f" --schema {self._schema}" if self._schema else ""
            raise OutboxMissing(
                f"{self.shown} has no table {self._table}; make it: tq outbox init --database {self.shown}{of}"
            ) from error
        except errors.InsufficientPrivilege as error:
            self.release()
            raise OutboxMissing(
                f"{self.shown}: {_line(error)}. The relay's role needs: GRANT SELECT, UPDATE, DELETE ON {self._table} TO it; a program's: "
                f"GRANT INSERT ON {self._table} TO it"
            ) from error
        except self._psycopg.Error as error:
            self.release()
            raise DatabaseLost(f"{self.shown}: {_line(error)}") from error


def _line(error: Exception) -> str:
    """The first line: the others show the statement."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
