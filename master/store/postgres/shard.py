"""A shard in the database: who owns it, and the commit that only its owner can make.

::

    shards(shard, owner, epoch, until, last_commit, schema)

A shard has one owner at a time. Who takes it raises ``epoch``; from then on the one before can commit nothing, for each commit is
conditional on owner, epoch and the number of the commit before it. So a commit is done once however often it is sent, and an
owner who does not know what became of it only has to send it again: it is done now, or was done before, or another owner has come.

All time is the database's.

A commit holds the row of its shard from its condition to its end. One whose client stands still in between would hold it without end, so
who claims the shard ends it (``end_stuck_commit``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ....common.errors import StoreError
from ..interface.store import Displaced, OwnedElsewhere
from .bounds import LOCKED, Sync, begin
from .line import BIGINT, INTEGER, TEXT, DatabaseAway, DatabaseRefused, PostgresLine, Statement
from .remedies import NOT_MINE, store_error
from .tables import SCHEMA
from .tenure import LEASE_SECONDS, Tenure

if TYPE_CHECKING:
    from .waiting import DatabaseWait

CLAIM_SECONDS_MAX: Final = 1.5  # for the row of a shard, in which a commit may be under way
RELEASE_SECONDS_MAX: Final = 10.0  # of an owner that ends: then the others wait for its lease
HELD_UP: Final = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' LIMIT 1"
WHY_BACK: Final = "an older copy of it was restored, or a standby took over that lacked the last commits"  # what was acknowledged is lost
ROW: Final = f"SELECT owner, epoch, last_commit, schema FROM {SCHEMA}.shards WHERE shard = $1".encode()
INT4, INT8 = struct.Struct(">i").pack, struct.Struct(">q").pack

# Ends the transaction that holds the row of a shard: only when the lease is over, its owner has said nothing for as long, and it waits
# for its client, for what still works will end by itself. The row's xmax is the transaction that is changing it.
END_STUCK: Final = (
    f"SELECT l.pid, pg_terminate_backend(l.pid) FROM {SCHEMA}.shards s "
    "JOIN pg_locks l ON l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted AND l.transactionid = s.xmax "
    "JOIN pg_stat_activity a ON a.pid = l.pid AND a.wait_event = 'ClientRead' "
    f"WHERE s.shard = %s AND s.until <= clock_timestamp() AND NOT EXISTS (SELECT 1 FROM {SCHEMA}.masters m "
    f"WHERE starts_with(s.owner, m.id || ':') AND m.seen > clock_timestamp() - interval '{LEASE_SECONDS} seconds')"
)

# It divides by the number of rows that it has changed: none is an error, which ends the transaction before its COMMIT is read.
OURS: Final = (
    f"WITH ours AS (UPDATE {SCHEMA}.shards SET last_commit = last_commit + 1, "
    f"until = clock_timestamp() + interval '{LEASE_SECONDS} seconds' "
    "WHERE shard = $1 AND owner = $2 AND epoch = $3 AND last_commit = $4 RETURNING 1) SELECT 1 / count(*) FROM ours"
).encode()

RENEW: Final = (
    f"UPDATE {SCHEMA}.shards SET until = clock_timestamp() + interval '{LEASE_SECONDS} seconds' "
    "WHERE shard = $1 AND owner = $2 AND epoch = $3 RETURNING '1'::text"
).encode()

RELEASE: Final = (
    f"UPDATE {SCHEMA}.shards SET until = NULL WHERE shard = $1 AND owner = $2 AND epoch = $3".encode()
)


class ShardRow(NamedTuple):
    """As the database has it."""

    owner: str
    epoch: int
    last_commit: int
    schema: int  # of its rows: how many migrations they have seen


@dataclass
class Ownership:
    """What this owner has."""

    shard: int
    owner: str
    epoch: int
    last_commit: int

    def condition(self) -> Statement:
        values = [INT4(self.shard), self.owner.encode(), INT8(self.epoch), INT8(self.last_commit)]
        return Statement(OURS, values, [INTEGER, TEXT, BIGINT, BIGINT])

    def renewal(self) -> Statement:
        """Another lease: one row, if it is still this owner's."""
        return self._of_its_row(RENEW)

    def end(self) -> Statement:
        """Its lease is over at once, if it is still this owner's."""
        return self._of_its_row(RELEASE)

    def is_still(self, row: ShardRow | None) -> bool:
        """Whether no other owner has taken it."""
        return row is not None and (row.owner, row.epoch) == (self.owner, self.epoch)

    def _of_its_row(self, text: bytes) -> Statement:
        values = [INT4(self.shard), self.owner.encode(), INT8(self.epoch)]
        return Statement(text, values, [INTEGER, TEXT, BIGINT])


def read(line: PostgresLine, shard: int, seconds_max: float) -> ShardRow | None:
    """None: there is none. Raises DatabaseAway."""
    [result] = line.run([Statement(ROW, [INT4(shard)], [INTEGER])], seconds_max)
    if not result.ntuples:
        return None
    owner, *numbers = (result.get_value(0, place) or b"" for place in range(len(ShardRow._fields)))
    return ShardRow(owner.decode(), *(int.from_bytes(number, "big", signed=True) for number in numbers))


def claim(
    line: PostgresLine, shard: int, owner: str, before: str | None, schema: int
) -> tuple[Ownership, ShardRow | None]:
    """Take a shard; what it was before, None: it is new. ``before``: who this owner was at its last start, which it need not wait
    for. Raises OwnedElsewhere while another owner lives."""
    import psycopg

    while True:
        try:
            return _claim(line, shard, owner, before, schema)
        except psycopg.errors.LockNotAvailable:
            if not end_stuck_commit(line, shard):
                raise OwnedElsewhere(
                    f"the owner of shard {shard} of this database is in the middle of a commit; if that does not end, it "
                    "is for an administrator of the database to end it: SELECT pid, state, query FROM pg_stat_activity"
                ) from None


def end_stuck_commit(line: PostgresLine, shard: int) -> bool:
    """End the transaction that holds a shard's row, if its client stands still and its owner's time is over. False: there is none, or
    this role may not."""
    import psycopg

    try:
        found = line.connection.execute(END_STUCK.encode(), (shard,)).fetchall()
    except psycopg.errors.InsufficientPrivilege:  # it is of another role
        return False
    return any(ended for _, ended in found)


def _claim(
    line: PostgresLine, shard: int, owner: str, before: str | None, schema: int
) -> tuple[Ownership, ShardRow | None]:
    connection = line.connection
    with connection.transaction():
        # A standby that is promoted must know of it: what this owner reads, another may not have seen replicated.
        connection.execute(begin(CLAIM_SECONDS_MAX, Sync.ON)[1].text)
        found = connection.execute(
            f"SELECT owner, epoch, last_commit, schema FROM {SCHEMA}.shards WHERE shard = %s FOR UPDATE",
            (shard,),
        ).fetchone()
        if found is None:
            connection.execute(
                f"INSERT INTO {SCHEMA}.shards (shard, owner, epoch, until, last_commit, schema) "
                f"VALUES (%s, %s, 1, clock_timestamp() + interval '{LEASE_SECONDS} seconds', 0, %s)",
                (shard, owner, schema),
            )
            return Ownership(shard, owner, 1, 0), None
        row = ShardRow(*found)
        taken = connection.execute(
            f"UPDATE {SCHEMA}.shards SET owner = %s, epoch = epoch + 1, "
            f"until = clock_timestamp() + interval '{LEASE_SECONDS} seconds' "
            "WHERE shard = %s AND (until IS NULL OR until <= clock_timestamp() OR owner = %s) RETURNING epoch",
            (owner, shard, before),
        ).fetchone()
        if taken is None:
            raise OwnedElsewhere(
                f"another master ({row.owner}) owns shard {shard} of this database; stop it, or wait {LEASE_SECONDS} s if it was killed"
            )
        return Ownership(shard, owner, taken[0], row.last_commit), row


def release(line: PostgresLine, held: Ownership, seconds_max: float = RELEASE_SECONDS_MAX) -> None:
    """Let others have it at once. Raises DatabaseAway, DatabaseRefused."""
    line.transact(begin(seconds_max), [held.end()], seconds_max)


class OwnersCommits:
    """Sends transactions until the database has answered. Used by one thread at a time."""

    def __init__(
        self,
        held: Ownership,
        line: PostgresLine,
        connect: Callable[[], PostgresLine],
        wait: DatabaseWait,
        *,
        durable: bool,
        tenure: Tenure,
    ) -> None:
        self.held, self._connect, self._wait, self._tenure = held, connect, wait, tenure
        self._line: PostgresLine | None = line
        self._sync = Sync.ON if durable else Sync.OFF
        self.is_open = True

    @property
    def line(self) -> PostgresLine | None:
        return self._line

    @property
    def away(self) -> str:
        """Why it waits; empty: it does not."""
        return self._wait.error

    def commit(self, statements: Sequence[Statement]) -> None:
        """They are done, with the number behind the last. While the database is away this waits. Raises StoreError when it refuses,
        then nothing was done, and Displaced when the shard has another owner or is not what this owner has left."""
        pipeline = [self.held.condition(), *statements]
        self._until_answered(lambda line, seconds: self._send(line, pipeline, seconds))
        self.held.last_commit += 1

    def _send(self, line: PostgresLine, pipeline: Sequence[Statement], seconds_max: float) -> None:
        asked = self._tenure.now()
        try:
            line.transact(begin(seconds_max, self._sync, planned=True), pipeline, seconds_max)
            self._tenure.confirmed(asked)
        except DatabaseRefused as error:
            if error.code == LOCKED:
                raise _held_up(line, seconds_max) from error
            if error.code != NOT_MINE:
                raise store_error(error.code, str(error)) from error
            row = read(line, self.held.shard, seconds_max)
            if self.held.is_still(row) and row is not None and row.last_commit == self.held.last_commit + 1:
                # The answer to it was lost, not the commit. But it may be seen before a standby has it, after a restart of the
                # database: the end of a later commit says that it has.
                self._confirm(line, seconds_max)
                return
            raise displaced(self.held, row) from error

    def _confirm(self, line: PostgresLine, seconds_max: float) -> None:
        try:
            line.transact(begin(seconds_max, self._sync), [self.held.renewal()], seconds_max)
        except DatabaseRefused as error:
            line.close()
            raise DatabaseAway(str(error)) from error

    def _until_answered(self, send: Callable[[PostgresLine, float], Any]) -> None:
        while True:
            try:
                if self._line is None:
                    self._line = self._connect()
                send(self._line, self._wait.answer_seconds)
            except DatabaseAway as error:
                self._line = None
                if not self.is_open:
                    raise StoreError(f"the database is away: {error}") from error
                self._wait.wait(str(error))
            else:
                self._wait.answered()
                return

    def close(self) -> None:
        self.is_open = False
        self._wait.give_up()
        if self._line is not None:
            self._line.close()


def _held_up(line: PostgresLine, seconds_max: float) -> DatabaseAway:
    """Another transaction holds what is to be changed: this owner's last one as a rule, over a line that was given up."""
    [found] = line.run([Statement(HELD_UP.encode())], seconds_max)
    line.close()
    if found.ntuples:
        return DatabaseAway(
            "the database waits for its synchronous standby: SELECT application_name, state, sync_state FROM pg_stat_replication"
        )
    return DatabaseAway(
        "another transaction in the database holds what is to be changed: SELECT pid, state, wait_event, query FROM pg_stat_activity"
    )


def displaced(held: Ownership, row: ShardRow | None) -> Displaced:
    """Why this owner's time is over. ``row``: what the database says now."""
    if row is None:
        return Displaced(f"the database does not know shard {held.shard}")
    if held.is_still(row):
        return Displaced(
            f"the database has gone back to commit {row.last_commit} of shard {held.shard}, this master had committed "
            f"{held.last_commit}: {WHY_BACK}",
            gone_back=True,
        )
    # Epochs and numbers of commits only rise, so who has taken over began from less than this master had committed.
    if row.epoch <= held.epoch or row.last_commit < held.last_commit:
        return Displaced(
            f"the database has gone back: {row.owner} owns shard {held.shard} in epoch {row.epoch} with commit {row.last_commit}, "
            f"this master had committed {held.last_commit} in epoch {held.epoch}: {WHY_BACK}"
        )
    return Displaced(
        f"{row.owner} has taken over shard {held.shard} (epoch {row.epoch}, this master's was {held.epoch})"
    )
