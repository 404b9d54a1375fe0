"""Stores in the database of this process, with what a test wants of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.postgres import PostgresServer

from ...conftest import SHARDS

OpenPostgres = Callable[..., Any]


@pytest.fixture
def open_store(postgres: PostgresServer) -> Iterator[OpenPostgres]:
    """Opens a store of one shard of this test's own, in memory unless ``folder`` is given; closed after the test."""
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    shard, opened = next(SHARDS), []

    def open_one(folder: Any = None, **options: Any) -> Any:
        opened.append(PostgresStore(read_address(postgres.url()), folder, shard=shard, **options))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """Of a database of this test's own."""
    return postgres.create(f"owners_{next(SHARDS)}")


@pytest.fixture
def owners_database(postgres_url: str) -> Any:
    """Its address."""
    from tq.master.store.postgres.address import read_address

    return read_address(postgres_url)


@pytest.fixture
def owners_line(owners_database: Any) -> Iterator[Any]:
    """A connection to it, with the tables of a store."""
    from tq.master.store.postgres.line import PostgresLine
    from tq.master.store.postgres.schema import prepare
    from tq.master.store.postgres.store import schema_tables
    from tq.master.store.sqlite.store import newest_schema

    line = PostgresLine(owners_database, 10)
    prepare(line, owners_database, schema_tables(), newest_schema())
    yield line
    line.close()
