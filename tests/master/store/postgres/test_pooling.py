"""A store behind PgBouncer in transaction mode, where one transaction after the other gets another connection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tq.master.store.postgres.address import read_address
from tq.master.store.postgres.contents import PART_BYTES
from tq.master.store.postgres.line import PostgresLine
from tq.master.store.postgres.store import PostgresStore
from tq.master.store.postgres.watching import ShardWatch

from tests.cluster.programs import eventually
from tests.pgbouncer import pooling
from tests.postgres import PostgresServer

from ...conftest import SHARDS
from .owners import A, B

COMMITS = 40
HASH = b"h" * 32


@pytest.fixture
def pooled(postgres: PostgresServer) -> Iterator[str]:
    database = f"pooled_{next(SHARDS)}"
    postgres.create(database)
    with pooling(postgres, database) as url:
        yield url


def put(store: PostgresStore, number: int) -> None:
    store.begin()
    store.set_meta("number", str(number).encode())
    store.commit()


def test_all_of_a_master_works_through_a_pooler(pooled: str, tmp_path: Path) -> None:
    address = read_address(pooled)
    seen: list[str] = []
    # Its first start makes the tables; what stands by says so and looks.
    first = PostgresStore(address, tmp_path, me=A)
    watch = ShardWatch(
        0,
        lambda: PostgresLine(address, 10),
        B,
        lambda shard: seen.append(shard.owner if shard else ""),
        print,
    )
    try:
        for number in range(COMMITS):
            put(first, number)
        contents = first.contents()
        contents.put(HASH, iter([b"a" * PART_BYTES, b"b"]))
        assert contents.read(HASH, PART_BYTES + 1, PART_BYTES - 1, 2) == (PART_BYTES + 1, b"ab")
        eventually(lambda: [row.host for row in first.masters()] == ["a", "b"])
        assert seen[-1].startswith(f"{A.id}:")
        first.close()
        # The next owner loads all rows, in one transaction.
        for file in tmp_path.glob("copy.db*"):
            file.unlink()
        second = PostgresStore(address, tmp_path, me=B)
        try:
            second.begin()
            assert second.get_meta("number") == str(COMMITS - 1).encode()
            second.rollback()
            put(second, COMMITS)
            contents = second.contents()
            contents.remove(HASH)
            assert contents.size_of(HASH) is None
        finally:
            second.close()
    finally:
        watch.close()
        first.close()
