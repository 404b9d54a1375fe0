"""What is written through a store while its database fails, and what the database says of it."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
from tq.common.errors import StoreError
from tq.master.store.postgres.store import PostgresStore

from tests.postgres import PostgresServer

END_SECONDS = 60


def ask(server: PostgresServer, text: str, url: str | None = None) -> Any:
    with psycopg.connect(url or server.url(), autocommit=True) as connection:
        row = connection.execute(text.encode()).fetchone()
        return None if row is None else row[0]


class Writer:
    """Puts a value in a thread, as the store's loop would. ``error``: it was refused."""

    def __init__(self, store: PostgresStore, value: bytes, name: str = "x") -> None:
        self._store, self._value, self._name = store, value, name
        self.error: StoreError | None = None
        self._thread = threading.Thread(target=self._put, daemon=True)
        self._thread.start()

    def _put(self) -> None:
        try:
            put(self._store, self._value, self._name)
        except StoreError as error:
            self.error = error
            self._store.rollback()
            self._store.reopen()

    @property
    def waits(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        self._thread.join(END_SECONDS)
        assert not self.waits


def put(store: PostgresStore, value: bytes, name: str = "x") -> None:
    store.begin()
    store.set_meta(name, value)
    store.commit()
