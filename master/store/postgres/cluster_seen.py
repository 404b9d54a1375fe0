"""All masters of a database and all of its shards, as a master sees them that shares these with others: one question, in which it also says
that it is here, and how ready it is to take more (``master/standby/spread.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ....common.contract.observe import MasterRow
from .bounds import Sync, begin
from .line import INTEGER, TEXT, PostgresLine, Statement
from .masters import ANSWER_SECONDS_MAX, LEFT, Me, ShardSeen, master_of, number_of, texts
from .shard import INT4
from .tables import SCHEMA
from .tenure import LEASE_SECONDS, clock

HERE: Final = (
    f"INSERT INTO {SCHEMA}.masters (id, name, address, version, until, readiness) "
    "VALUES ($1, $2, $3, $4, nullif($5, '')::timestamptz, $6) "
    "ON CONFLICT (id) DO UPDATE SET seen = clock_timestamp(), address = excluded.address, until = excluded.until, "
    "readiness = excluded.readiness"
).encode()
MASTERS: Final = (
    "SELECT id, name, address, version, extract(epoch FROM since)::text, extract(epoch FROM clock_timestamp() - seen)::text, "
    f"extract(epoch FROM until)::text, readiness::text FROM {SCHEMA}.masters ORDER BY id"
).encode()
SHARDS: Final = (
    f"SELECT s.shard::text, s.owner, s.epoch::text, {LEFT}, m.address "
    f"FROM {SCHEMA}.shards s LEFT JOIN {SCHEMA}.masters m ON starts_with(s.owner, m.id || ':') ORDER BY s.shard"
).encode()
REVOKED: Final = (
    f"SELECT encode(value, 'hex') FROM {SCHEMA}.meta WHERE shard = 0 AND name = 'revoked_leaves'".encode()
)

# Some that were applied stay for a while, as to delete each by itself would be a commit for each.
EDGES: Final = (
    f"SELECT DISTINCT o.shard::text, o.to_shard::text FROM {SCHEMA}.edges_out o "
    f"LEFT JOIN {SCHEMA}.edges_in i ON i.shard = o.to_shard AND i.of_shard = o.shard WHERE o.number > coalesce(i.number, 0)"
).encode()


class MasterSeen(NamedTuple):
    """``since``, ``until``: Unix seconds; ``silent``: seconds since it has said that it is here. ``readiness``: None, it shares nothing."""

    id: str
    name: str
    address: str
    version: str
    since: float
    silent: float
    until: float | None
    readiness: int | None

    @property
    def lives(self) -> bool:
        return self.silent < LEASE_SECONDS


class ClusterSeen(NamedTuple):
    """``asked``: when, by the clock of this machine. ``shards``: by their numbers. ``revoked``: see ``ShardSeen``. ``edges``: pairs of a
    shard that has rows for another one which that has not applied, and that one."""

    asked: float
    masters: Sequence[MasterSeen]
    shards: Mapping[int, ShardSeen]
    revoked: bytes | None
    edges: Sequence[tuple[int, int]] = ()

    @property
    def living(self) -> list[MasterSeen]:
        """Of two with one address the older one is gone, however short ago it said that it is here: the other has its port."""
        youngest: dict[str, MasterSeen] = {}
        for one in sorted(self.masters, key=lambda one: one.since):
            youngest[one.address] = one
        return [one for one in self.masters if one.lives and youngest[one.address] is one]

    def address_of(self, id: str) -> str | None:
        return next((one.address for one in self.masters if one.id == id), None)

    def rows(self, now: float) -> list[MasterRow]:
        """For people. Of one that has several shards the epoch of the one that moved most, and what is left of the one that ends first."""
        return [self._row(one, now - self.asked) for one in self.masters]

    def _row(self, one: MasterSeen, passed: float) -> MasterRow:
        has = {
            shard: seen
            for shard, seen in self.shards.items()
            if master_of(seen.owner) == one.id and not seen.is_free
        }
        return MasterRow(
            one.address,
            one.name,
            bool(has),
            max((seen.epoch for seen in has.values()), default=None),
            min((max(0.0, (seen.left_seconds or 0.0) - passed) for seen in has.values()), default=None),
            one.since,
            one.silent + passed,
            one.version,
            one.until,
            sorted(has),
        )


NOT_SEEN: Final = ClusterSeen(0.0, (), {}, None)


def look_at_cluster(line: PostgresLine, me: Me, readiness: int | None) -> ClusterSeen:
    """``readiness``: said with it; None: a moment ago it was said. Raises DatabaseAway, DatabaseRefused."""
    asked = clock()
    looks = [Statement(one) for one in (MASTERS, SHARDS, REVOKED, EDGES)]
    if readiness is None:
        found = line.run(looks, ANSWER_SECONDS_MAX)
    else:
        said = [*(text.encode() for text in me), INT4(readiness)]
        here = Statement(HERE, said, [*[TEXT] * len(me), INTEGER])
        # A sign of life is of no worth on a standby, so it never waits for one.
        _, *found = line.transact(begin(ANSWER_SECONDS_MAX, Sync.OFF), [here, *looks], ANSWER_SECONDS_MAX)
    masters, shards, revoked, edges = map(texts, found)
    return ClusterSeen(
        asked,
        [_master(row) for row in masters],
        {int(shard or 0): _shard(row) for shard, *row in shards},
        next((bytes.fromhex(value or "") for [value] in revoked), None),
        [(int(shard or 0), int(to or 0)) for shard, to in edges],
    )


def cluster_meta(line: PostgresLine) -> dict[str, bytes]:
    """What shard 0 says of its cluster; empty: no master has made it yet, or this role may not read it. Raises psycopg.Error."""
    import psycopg

    try:
        rows = line.connection.execute(f"SELECT name, value FROM {SCHEMA}.meta WHERE shard = 0".encode())
        return {name: bytes(value) for name, value in rows}
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return {}


def _master(row: Sequence[str | None]) -> MasterSeen:
    id, name, address, version, since, silent, until, readiness = row
    return MasterSeen(
        id or "",
        name or "",
        address or "",
        version or "",
        float(since or 0),
        float(silent or 0),
        number_of(until),
        None if readiness is None else int(readiness),
    )


def _shard(row: Sequence[str | None]) -> ShardSeen:
    owner, epoch, left, address = row
    return ShardSeen(owner or "", int(epoch or 0), number_of(left), address)
