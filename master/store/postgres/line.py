"""One connection to PostgreSQL, as the store uses it: a transaction is one pipeline, and every wait has an end.

Nothing of a session outlives a transaction: no named statements, no settings, no locks but those of rows. So a pooler that gives
each transaction another connection (PgBouncer in transaction mode) may stand in between.

Two things can go wrong, and the difference is what is known then. ``DatabaseAway``: no answer came, so nothing is known of what was under
way. ``DatabaseRefused``: the database answered, and nothing of the transaction was done.
"""

from __future__ import annotations

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


class Statement(NamedTuple):
    text: bytes
    values: Sequence[bytes | None] = ()  # in binary form
    types: Sequence[int] = ()


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
        from psycopg import OperationalError  # what the module raises for a lost connection
        from psycopg.pq import TransactionStatus

        deadline = time.monotonic() + seconds_max
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

    def _exchange(self, statements: Sequence[Statement], deadline: float) -> list[PGresult]:
        from psycopg.pq import ExecStatus

        wire = self._wire
        wire.enter_pipeline_mode()
        for one in statements:
            formats = [BINARY] * len(one.values)
            wire.send_query_params(one.text, one.values, one.types, formats, BINARY)
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
            results.append(result)

    def _wait(self, deadline: float, *, writing: bool = False) -> None:
        """Until something can be read, or written, and read it."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise DatabaseAway("the database does not answer")
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        with selectors.DefaultSelector() as selector:
            selector.register(self._wire.socket, events)
            ready = selector.select(left)
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
