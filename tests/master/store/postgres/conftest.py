"""Stores in the database of this process, with what a test wants of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.postgres import PostgresServer

from ..conftest import SHARDS

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
