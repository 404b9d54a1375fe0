"""A primary that is killed, and a standby that is promoted: what a store has acknowledged is there, or it is said how far the database has gone back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from threading import Event, Thread

import psycopg
import pytest
from tq.common.errors import StoreError
from tq.master.store.interface.store import Displaced
from tq.master.store.postgres.address import read_address
from tq.master.store.postgres.store import PostgresStore

from tests.cluster.programs import eventually
from tests.postgres import PostgresServer
from tests.replication import Pair, replicated


@pytest.fixture
def pair() -> Iterator[Pair]:
    with replicated() as pair:
        yield pair


@pytest.fixture
def store(pair: Pair) -> Iterator[PostgresStore]:
    said: list[str] = []
    store = PostgresStore(read_address(pair.url), None, report=lambda action, **_: said.append(action))
    yield store
    store.close()


def put(store: PostgresStore, number: int) -> None:
    store.begin()
    store.set_meta("number", str(number).encode())
    store.commit()


def number_in(server: PostgresServer) -> int:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT value FROM tq.meta WHERE name = 'number'").fetchone()
        assert row is not None
        return int(row[0])


def test_what_was_acknowledged_is_on_a_synchronous_standby_that_is_promoted(
    pair: Pair, store: PostgresStore
) -> None:
    pair.be_synchronous()
    acknowledged, enough = [0], Event()

    def write() -> None:
        while not enough.is_set():
            put(store, acknowledged[0] + 1)
            acknowledged[0] += 1

    writer = Thread(target=write, daemon=True)
    writer.start()
    try:
        eventually(lambda: acknowledged[0] > 50)
        pair.primary.kill()
        before = acknowledged[0]
        eventually(lambda: store.committer.away, 40)
        assert acknowledged[0] <= before + 1
        pair.standby.promote()
        assert number_in(pair.standby) >= before
        eventually(lambda: acknowledged[0] > before + 50, 40)
    finally:
        enough.set()
        writer.join(40)
    assert not writer.is_alive()
    assert number_in(pair.standby) == acknowledged[0]


def test_a_standby_that_lacked_the_last_commits_is_gone_on_from_and_the_loss_is_said(
    pair: Pair, store: PostgresStore
) -> None:
    pair.until_it_streams("async")
    put(store, 1)
    last = store.committer.held.last_commit
    eventually(lambda: number_on(pair.standby) == 1)
    pair.standby.sql("ALTER SYSTEM SET primary_conninfo = ''")
    pair.standby.sql("SELECT pg_reload_conf()")
    with psycopg.connect(pair.primary.url(), autocommit=True) as connection:
        eventually(lambda: connection.execute("SELECT 1 FROM pg_stat_replication").fetchone() is None)
    for number in range(2, 7):
        put(store, number)
    pair.primary.kill()
    pair.standby.promote()
    went_back = f"gone back to commit {last} of shard 0, this master had committed {last + 5}: .* a standby took over that lacked"
    with pytest.raises(Displaced, match=went_back):
        put(store, 7)
    store.rollback()

    def is_open() -> bool:
        with suppress(StoreError):
            store.reopen()
            return True
        return False

    eventually(is_open, 40)
    store.begin()
    assert store.get_meta("number") == b"1"
    store.rollback()
    put(store, 8)
    assert number_in(pair.standby) == 8


def number_on(standby: PostgresServer) -> int:
    """0: not there yet."""
    with suppress(psycopg.errors.UndefinedTable, AssertionError):
        return number_in(standby)
    return 0
