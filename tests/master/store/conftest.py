"""Every kind of store there is. What stands in this folder is asked of each; what one does by itself, in a folder of its name."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from tq.master.store.interface.store import Store
from tq.master.store.sqlite.store import SqliteStore

from tests.postgres import PostgresServer, serving

from .differences import differences
from .tasks import QUEUE, TASK

OpenStore = Callable[[], Store]
STORES: Final[dict[str, Callable[[pytest.FixtureRequest], OpenStore]]] = {
    "sqlite-file": lambda request: _in_file(request.getfixturevalue("tmp_path")),
    "sqlite-memory": lambda request: lambda: SqliteStore(None, "memory"),
    "postgres": lambda request: request.getfixturevalue("open_postgres"),
}
ONE_OF: Final = 6
SHARDS: Final = itertools.count(1)  # each test has one of its own in the database of its process


def _in_file(folder: Path) -> OpenStore:
    return lambda: SqliteStore(folder / "tq.db")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The database repeats what the working copy does: a sample of each file in each run, the others with ``make thorough``."""
    seen: Counter[Path] = Counter()
    for item in items:
        params = (
            item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        )
        if params.get("stores") == "postgres":
            seen[item.path] += 1
            if seen[item.path] % ONE_OF != 1:
                item.add_marker(pytest.mark.thorough)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One for all tests of this process."""
    with serving() as server:
        yield server


@pytest.fixture
def open_postgres(postgres: PostgresServer) -> OpenStore:
    from tq.master.store.postgres.address import read_address
    from tq.master.store.postgres.store import PostgresStore

    address, shard = read_address(postgres.url()), next(SHARDS)
    return lambda: PostgresStore(address, None, shard=shard)


@pytest.fixture(params=STORES)
def stores(request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    """Opens a store; closed after the test. What one has in a database is then what its working copy has."""
    opened: list[Store] = []
    make = STORES[request.param](request)

    def open_store() -> Store:
        opened.append(make())
        return opened[-1]

    yield open_store
    for store in opened[:-1]:
        store.rollback()
    # Many a test leaves its transaction open: what it has done is compared all the same.
    different = differences(opened[-1]) if opened else []
    for store in opened:
        store.rollback()
        store.close()
    assert different == []


@pytest.fixture
def store(stores: Callable[[], Store]) -> Store:
    return stores()


@pytest.fixture
def transaction(store: Store) -> None:
    """The test is within one, that ends with it."""
    store.begin()


@pytest.fixture
def route(store: Store) -> int:
    store.begin()
    route = store.add_route(QUEUE, TASK)
    store.commit()
    return route
