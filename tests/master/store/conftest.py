"""Every kind of store there is. What stands in this folder is asked of each; what one does by itself, in a folder of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from tq.master.store.interface.store import Store
from tq.master.store.sqlite.store import SqliteStore

from .tasks import QUEUE, TASK

STORES: Final[dict[str, Callable[[Path], Store]]] = {
    "sqlite-file": lambda folder: SqliteStore(folder / "tq.db"),
    "sqlite-memory": lambda folder: SqliteStore(None, "memory"),
}


@pytest.fixture(params=STORES)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens a store; closed after the test."""
    opened: list[Store] = []

    def open_store() -> Store:
        opened.append(STORES[request.param](tmp_path))
        return opened[-1]

    yield open_store
    for store in opened:
        store.rollback()
        store.close()


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
