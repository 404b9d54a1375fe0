"""One connection to PostgreSQL, as the store uses it: a transaction is one pipeline, and every wait has an end.

Nothing of a session outlives a transaction, no settings and no locks but those of rows, so a pooler that gives each transaction another
connection (PgBouncer in transaction mode) may stand in between. One thing is tried: that the database parses and plans a statement once
for a connection, which is most of what a small transaction costs it. The name of a prepared statement is a digest of its text, so one
that another client has prepared does the same. Where one is not there (26000), or there already (42P05), other connections are in use
behind this one: nothing of the transaction was done, and it is sent again without names, as are all that follow.

Two things can go wrong, and the difference is what is known then. ``DatabaseAway``: no answer came, so nothing is known of what was under
way. ``DatabaseRefused``: the database answered, and nothing of the transaction was done.
"""

from __future__ import annotations

import functools
import hashlib
import selectors
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .address import DatabaseAddress, load_psycopg, without_secrets
from .remedies import WAITABLE, why_away

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.pq.abc import PGconn, PGresult

INTEGER: Final = 23  # the oid of int4
BIGINT: Final = 20
TEXT: Final = 25
BINARY: Final = 1
NOT_KEPT: Final = ("26000", "42P05")  # a prepared statement is not there, or is there already
NAME_BYTES: Final = 16  # of a digest, in a prepared statement's name


class Statement(NamedTuple):
    text: bytes
    values: Sequence[bytes | None] = ()  # in binary form
    types: Sequence[int] = ()

    @property
    def name(self) -> bytes:
        return _name(self.text, tuple(self.types))


@functools.cache  # there are as many as there are tables and kinds of change
def _name(text: bytes, types: tuple[int, ...]) -> bytes:
    return b"tq_" + hashlib.sha256(text + repr(types).encode()).hexdigest()[: 2 * NAME_BYTES].encode()


COMMIT: Final = Statement(b"COMMIT")
ROLLBACK: Final = Statement(b"ROLLBACK")


class DatabaseAway(Exception):
    """The database did not answer, or says that it does not serve now. What was under way may be done or not."""


class DatabaseRefused(Exception):
    """The database answered with an error: nothing of the transaction was done. ``code``: of SQL."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class PostgresLine:
    """Opened by its constructor, which raises DatabaseAway."""

    def __init__(self, address: DatabaseAddress, seconds_max: int) -> None:
        psycopg = load_psycopg()
        try:
            self._connection: Connection[Any] = psycopg.connect(
                **address.parameters(seconds_max), autocommit=True, prepare_threshold=None
            )
        except psycopg.OperationalError as error:
            raise DatabaseAway(why_away(str(error), address)) from error
        self._address = address
        self._wire: PGconn = self._connection.pgconn
        self._wire.nonblocking = 1
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wire.socket, selectors.EVENT_READ)
        self._prepared: set[bytes] | None = set()  # None: statements are not kept for this line

    @property
    def address(self) -> DatabaseAddress:
        return self._address

    @property
    def connection(self) -> Connection[Any]:
        """For what is read at a start: tables and their rows."""
        return self._connection

    @property
    def is_open(self) -> bool:
        return not self._connection.closed

    def close(self) -> None:
        self._connection.close()

    def run(self, statements: Sequence[Statement], seconds_max: float) -> list[PGresult]:
        """These in one go, with one wait for all; their results. Raises DatabaseAway, after which this line is closed, or DatabaseRefused."""
        deadline = time.monotonic() + seconds_max
        try:
            return self._run(statements, deadline)
        except DatabaseRefused as error:
            if error.code not in NOT_KEPT or self._prepared is None:
                raise
            self._prepared = None
            return self._run(statements, deadline)

    def _run(self, statements: Sequence[Statement], deadline: float) -> list[PGresult]:
        from psycopg import OperationalError  # what the module raises for a lost connection
        from psycopg.pq import TransactionStatus

        try:
            results = self._exchange(statements, deadline)
            if self._wire.transaction_status == TransactionStatus.INERROR:
                self._exchange([ROLLBACK], deadline)  # its COMMIT was not read: an error ends the pipeline
        except (OperationalError, OSError) as error:
            self.close()
            raise DatabaseAway(without_secrets(str(error).strip(), self._address)) from error
        except DatabaseAway:
            self.close()
            raise
        self._judge(results)
        return results

    def transact(
        self, beginning: Sequence[Statement], statements: Sequence[Statement], seconds_max: float
    ) -> list[PGresult]:
        """These as one transaction; their results. ``beginning``: see ``bounds.begin``. Raises as ``run`` does."""
        results = self.run([*beginning, *statements, COMMIT], seconds_max)
        return results[len(beginning) : -1]

    def _exchange(self, statements: Sequence[Statement], deadline: float) -> list[PGresult]:
        from psycopg.pq import ExecStatus

        wire = self._wire
        wire.enter_pipeline_mode()
        awaited = iter(self._send(statements))
        wire.pipeline_sync()
        while wire.flush():
            self._wait(deadline, writing=True)
        results: list[PGresult] = []
        while True:
            while wire.is_busy():
                self._wait(deadline)
            result = wire.get_result()
            if result is None:  # the end of one statement's results
                continue
            if result.status == ExecStatus.PIPELINE_SYNC:
                wire.exit_pipeline_mode()
                return results
            name = next(awaited, None)  # a connection that is ended says that, too
            # That a statement could not be prepared is an answer like another; that it was is none.
            if name is None or result.status != ExecStatus.COMMAND_OK:
                results.append(result)
            elif self._prepared is not None:
                self._prepared.add(name)

    def _send(self, statements: Sequence[Statement]) -> list[bytes | None]:
        """For each result that will come: the name of what was prepared, or None."""
        wire, awaited = self._wire, list[bytes | None]()
        under_way = set[bytes]()
        for one in statements:
            formats = [BINARY] * len(one.values)
            if self._prepared is None:
                wire.send_query_params(one.text, one.values, one.types, formats, BINARY)
            else:
                if (name := one.name) not in self._prepared and name not in under_way:
                    wire.send_prepare(name, one.text, one.types)
                    under_way.add(name)
                    awaited.append(name)
                wire.send_query_prepared(name, one.values, formats, BINARY)
            awaited.append(None)
        return awaited

    def _wait(self, deadline: float, *, writing: bool = False) -> None:
        """Until something can be read, or written, and read it."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise DatabaseAway("the database does not answer")
        if writing:
            self._selector.modify(self._wire.socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
        ready = self._selector.select(left)
        if writing:
            self._selector.modify(self._wire.socket, selectors.EVENT_READ)
        if ready:
            self._wire.consume_input()

    def _judge(self, results: Sequence[PGresult]) -> None:
        """Raise the first error among them."""
        from psycopg.pq import DiagnosticField, ExecStatus

        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                code = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
                message = (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode(
                    errors="replace"
                )
                if not code or code[:2] in WAITABLE or code in WAITABLE:
                    self.close()
                    text = result.error_message.decode(errors="replace")
                    raise DatabaseAway(without_secrets(message or text, self._address).strip())
                raise DatabaseRefused(code, without_secrets(message, self._address))
