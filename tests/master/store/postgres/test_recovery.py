"""A working copy that is loaded again in the background: no call waits for it, and it ends when the master does."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import StoreError
from tq.master.store.interface.store import Displaced

from .test_store import OpenPostgres, note, noted, reopen


def go_back(store: Any) -> None:
    """What a restored copy of the database is to a master that goes on."""
    connection, shard = store.committer.line.connection, store.committer.held.shard
    connection.execute("UPDATE tq.shards SET last_commit = last_commit - 1 WHERE shard = %s", (shard,))
    with pytest.raises(Displaced, match="has gone back"):
        note(store, b"lost")
    store.rollback()


def test_a_call_while_the_copy_is_loaded_again_does_not_wait(open_store: OpenPostgres) -> None:
    said: list[str] = []
    store = open_store(report=lambda action, **_: said.append(action))
    note(store, b"1")
    go_back(store)
    may_go_on, real = threading.Event(), store._connect

    def slow() -> Any:
        assert may_go_on.wait(30)
        return real()

    store._connect = slow
    for _ in range(2):
        with pytest.raises(StoreError, match="is loaded again, 0 rows so far"):
            store.reopen()
    assert "is loaded again" in store.recovering
    may_go_on.set()
    reopen(store)
    assert (store.recovering, noted(store), said.count("database.loads")) == ("", b"1", 1)
    note(store, b"2")


def test_a_copy_that_could_not_be_made_is_made_when_it_can_be(open_store: OpenPostgres) -> None:
    store = open_store()
    note(store, b"1")
    go_back(store)
    real = store._connect

    def fails() -> Any:
        store._connect = real
        raise sqlite3.OperationalError("disk I/O error")

    store._connect = fails
    reopen(store)
    assert noted(store) == b"1"


def test_a_copy_that_could_not_be_opened_twice_is_opened_when_it_can_be_and_the_shard_is_released_meanwhile(
    open_store: OpenPostgres, tmp_path: Path
) -> None:
    said: list[str] = []
    store = open_store(folder=tmp_path, report=lambda action, **_: said.append(action))
    note(store, b"1")
    real = store._connect

    def fails() -> Any:
        raise sqlite3.OperationalError("unable to open database file")

    store.begin(at_once=True)
    store.set_meta("x", b"void")
    store._connect = fails
    for _ in range(2):
        with pytest.raises(StoreError, match="unable to open"):
            store.reopen()
    store._connect = real
    store.reopen()
    assert noted(store) == b"1"
    note(store, b"2")
    store._connect = fails
    with pytest.raises(StoreError, match="unable to open"):
        store.reopen()
    store.close()
    assert "database.not_released" not in said
    assert noted(open_store()) == b"2"


def test_a_master_that_ends_while_it_loads_does_not_wait_for_all_rows(
    open_store: OpenPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tq.master.store.postgres import store as module

    store = open_store()
    note(store, b"1")
    go_back(store)
    began, ended = threading.Event(), threading.Event()

    def endless(line: Any, shard: int, db: Any, loaded: Callable[[str, int], None]) -> None:
        try:
            while True:
                loaded("tasks", 1)
                began.set()
        finally:
            ended.set()

    monkeypatch.setattr(module, "load", endless)
    with pytest.raises(StoreError, match="loaded again"):
        store.reopen()
    assert began.wait(10)
    store.close()
    assert ended.is_set()
