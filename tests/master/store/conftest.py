"""Every kind of store there is. What stands in this folder is asked of each; what one does by itself, in a folder of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from tq.master.store.interface.store import Store
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import POSTGRES
from .differences import differences
from .tasks import QUEUE, TASK

OpenStore = Callable[[], Store]
STORES: Final[dict[str, Callable[[pytest.FixtureRequest], OpenStore]]] = {
    "sqlite-file": lambda request: _in_file(request.getfixturevalue("tmp_path")),
    "sqlite-memory": lambda request: lambda: SqliteStore(None, "memory"),
    POSTGRES: lambda request: request.getfixturevalue("open_postgres"),
}


def _in_file(folder: Path) -> OpenStore:
    return lambda: SqliteStore(folder / "tq.db")


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
