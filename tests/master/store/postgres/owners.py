"""Two masters, and what they do to a shard."""

from __future__ import annotations

from tq.master.store.postgres.line import PostgresLine
from tq.master.store.postgres.masters import Me
from tq.master.store.postgres.shard import Ownership, claim
from tq.master.store.sqlite.store import newest_schema

A, B = (Me(f"{name}:1", name, f"{name}.example:5000", "1") for name in "ab")


def take(line: PostgresLine, me: Me) -> Ownership:
    return claim(line, 7, f"{me.id}:x", None, newest_schema())[0]


def over(line: PostgresLine) -> None:
    """The lease is over, by the database's clock."""
    line.connection.execute("UPDATE tq.shards SET until = clock_timestamp() - interval '1 ms'")
