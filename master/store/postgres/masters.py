"""The masters of one database: each says that it is here, the owner of a shard renews it, and all see who that is.

All time is the database's: how long an owner still has, how long a master has been silent.

An owner in the middle of a long commit holds the row of its shard, so it cannot renew; but it says that it is here, and as long as it
does the others leave it alone. So a master that is here and is not the owner that the database names by its name releases that shard
(``give_up``): after a release that did not arrive, or in a database that went back to a term of it that is over.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

from ....common.contract.observe import MasterRow
from .bounds import LOCKED, Sync, begin
from .line import INTEGER, TEXT, DatabaseRefused, PostgresLine, Statement
from .shard import INT4, Ownership, release
from .tables import SCHEMA
from .tenure import LEASE_SECONDS

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

ANSWER_SECONDS_MAX: Final = 2.0  # of a question: what is answered later is too late for a lease
FORGOTTEN_AFTER: Final = "1 hour"  # of silence
NO_TABLE: Final = "42P01"  # no master has made the schema yet

HERE: Final = (
    f"INSERT INTO {SCHEMA}.masters (id, name, address, version, until) VALUES ($1, $2, $3, $4, nullif($5, '')::timestamptz) "
    "ON CONFLICT (id) DO UPDATE SET seen = clock_timestamp(), address = excluded.address, until = excluded.until"
).encode()
GONE: Final = f"DELETE FROM {SCHEMA}.masters WHERE id = $1".encode()
FORGET: Final = (
    f"DELETE FROM {SCHEMA}.masters WHERE seen < clock_timestamp() - interval '{FORGOTTEN_AFTER}'".encode()
)
LIST: Final = (
    "SELECT m.address, m.name, s.epoch::text, extract(epoch FROM s.until - clock_timestamp())::text, extract(epoch FROM m.since)::text, "
    "extract(epoch FROM clock_timestamp() - m.seen)::text, m.version, extract(epoch FROM m.until)::text "
    f"FROM {SCHEMA}.masters m "
    f"LEFT JOIN {SCHEMA}.shards s ON s.shard = $1 AND starts_with(s.owner, m.id || ':') AND s.until > clock_timestamp() ORDER BY m.id"
).encode()
# What an owner still has: none that says it is here is taken for dead, see above. NULL: it has released the shard.
LEFT: Final = (
    "extract(epoch FROM greatest(s.until, CASE WHEN s.until IS NOT NULL THEN "
    f"m.seen + interval '{LEASE_SECONDS} seconds' END) - clock_timestamp())::text"
)
LOOK: Final = (
    f"SELECT s.owner, s.epoch::text, {LEFT}, m.address, "
    f"(SELECT encode(value, 'hex') FROM {SCHEMA}.meta WHERE shard = $1 AND name = 'revoked_leaves'), "
    f"(SELECT 1 FROM {SCHEMA}.meta WHERE shard = 0 AND name = 'shards_made') "
    f"FROM {SCHEMA}.shards s LEFT JOIN {SCHEMA}.masters m ON starts_with(s.owner, m.id || ':') WHERE s.shard = $1"
).encode()


class Me(NamedTuple):
    """One start of one master. ``id`` begins the name of the owner that it is, if it is one."""

    id: str
    name: str
    address: str
    version: str
    until: str = ""  # the end of its certificate, ISO 8601; empty: it has none


class ShardSeen(NamedTuple):
    """A shard as a master sees it. ``left_seconds``: what its owner still has; None: it has released it. ``revoked``: as the store has
    it, see ``master/keys/revoked_leaves.py``."""

    owner: str
    epoch: int
    left_seconds: float | None
    address: str | None
    revoked: bytes | None = None
    is_shared: bool = False  # it is one of several, which the masters of the database share

    @property
    def is_free(self) -> bool:
        return self.left_seconds is None or self.left_seconds <= 0


def look(line: PostgresLine, shard: int) -> ShardSeen | None:
    """None: no master has been there. Raises DatabaseAway."""
    try:
        rows = _rows(line, Statement(LOOK, [INT4(shard)], [INTEGER]))
    except DatabaseRefused as error:
        if error.code == NO_TABLE:
            return None
        raise
    if not rows:
        return None
    owner, epoch, left, address, revoked, made = rows[0]
    return ShardSeen(
        owner or "",
        int(epoch or 0),
        None if left is None else float(left),
        address,
        None if revoked is None else bytes.fromhex(revoked),
        made is not None,
    )


def renew(line: PostgresLine, held: Ownership) -> bool | None:
    """Whether the shard is still this owner's; then it has it for another lease. None: not known, for a commit is under way."""
    try:
        [renewed] = line.transact(begin(ANSWER_SECONDS_MAX), [held.renewal()], ANSWER_SECONDS_MAX)
    except DatabaseRefused as error:
        if error.code == LOCKED:
            return None
        raise
    return bool(renewed.ntuples)


def give_up(line: PostgresLine, me: Me, shard: int, seen: ShardSeen) -> bool:
    """Release a shard that the database takes for one of this master, which does not have it. Whether there was anything to release: if
    not, nothing is asked. Raises DatabaseAway."""
    if seen.is_free or master_of(seen.owner) != me.id:
        return False
    try:
        release(line, Ownership(shard, seen.owner, seen.epoch, 0), ANSWER_SECONDS_MAX)
    except DatabaseRefused as error:
        if error.code != LOCKED:  # by its last commit, which is still under way: at the next look
            raise
    return True


def say_here(line: PostgresLine, me: Me) -> None:
    """A standby on a database without a schema says nothing: it is about to make it."""
    with contextlib.suppress(DatabaseRefused):
        _say(line, Statement(HERE, [text.encode() for text in me], [TEXT] * len(me)))


def say_gone(line: PostgresLine, me: Me) -> None:
    _say(line, Statement(GONE, [me.id.encode()], [TEXT]), Statement(FORGET))


def _say(line: PostgresLine, *statements: Statement) -> None:
    # A sign of life is of no worth on a standby, so it never waits for one.
    line.transact(begin(ANSWER_SECONDS_MAX, Sync.OFF), statements, ANSWER_SECONDS_MAX)


def master_of(owner: str) -> str:
    """The id of the master that an owner is one start of."""
    return owner.rpartition(":")[0]


def listed(line: PostgresLine, shard: int) -> list[MasterRow]:
    found = _rows(line, Statement(LIST, [INT4(shard)], [INTEGER]))
    return [
        MasterRow(
            address or "",
            name or "",
            epoch is not None,
            None if epoch is None else int(epoch),
            number_of(left) if epoch is not None else None,
            float(since or 0),
            float(silent or 0),
            version or "",
            number_of(until),
        )
        for address, name, epoch, left, since, silent, version, until in found
    ]


def number_of(text: str | None) -> float | None:
    return None if text is None else float(text)


def _rows(line: PostgresLine, statement: Statement) -> list[list[str | None]]:
    [result] = line.run([statement], ANSWER_SECONDS_MAX)
    return texts(result)


def texts(result: PGresult) -> list[list[str | None]]:
    """Its rows, all of whose columns are text."""
    return [
        [
            None if (value := result.get_value(row, column)) is None else value.decode()
            for column in range(result.nfields)
        ]
        for row in range(result.ntuples)
    ]
