"""What a database may wait for in a transaction: a standby that is away, locks, and the limits that an administrator has set for all."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tq.common.errors import ConfigError
from tq.master.store.postgres import masters, schema, waiting
from tq.master.store.postgres.address import DatabaseAddress, read_address
from tq.master.store.postgres.line import PostgresLine
from tq.master.store.postgres.schema import prepare
from tq.master.store.postgres.store import PostgresStore, schema_tables
from tq.master.store.postgres.tables import Column, KeptTable
from tq.master.store.postgres.watching import ShardWatch
from tq.master.store.sqlite.store import newest_schema

from tests.cluster.programs import eventually
from tests.postgres import PostgresServer, serving

from .owners import A, B
from .writing import Writer, ask, put

COMMIT_WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT' AND query_start < now() - interval '1 s'"
OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tq-master'"
SLOW_FUNCTION = "CREATE FUNCTION slow() RETURNS trigger AS 'BEGIN PERFORM pg_sleep(1.3); RETURN NEW; END' LANGUAGE plpgsql"
SLOW_TRIGGER = (
    "CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON tq.meta FOR EACH STATEMENT EXECUTE FUNCTION slow()"
)
NUMBERS = itertools.count(1)
LAST_COMMIT = "SELECT last_commit FROM tq.shards"
CONNECTS = 4
# Of two masters, of which each waits in a commit, a renewal, a look, and once more for the row of each
CONNECTIONS_MAX = 9


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Of these tests alone, which set what holds for all of its databases."""
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def as_it_was(server: PostgresServer) -> Iterator[None]:
    yield
    server.sql("ALTER SYSTEM RESET ALL")
    server.sql("SELECT pg_reload_conf()")


@pytest.fixture
def database(server: PostgresServer) -> str:
    """The address of one of this test's own."""
    return server.create(f"bounds_{next(NUMBERS)}")


def set_all(server: PostgresServer, **settings: str) -> None:
    for name, value in settings.items():
        server.sql(f"ALTER SYSTEM SET {name} = '{value}'")
    server.sql("SELECT pg_reload_conf()")
    for name, value in settings.items():
        eventually(lambda name=name, value=value: ask(server, f"SHOW {name}") == value)  # type: ignore[misc]


def lose_the_standby(server: PostgresServer) -> None:
    """Every commit waits for one that is not there."""
    set_all(server, synchronous_standby_names="nobody")
    eventually(lambda: _is_held_up(server))


def _is_held_up(server: PostgresServer) -> bool:
    """The server's processes learn of it one after the other: whether a commit of no account waits."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        writer = threading.Thread(target=_try, args=[connection], daemon=True)
        writer.start()
        writer.join(0.2)
        held_up = writer.is_alive()
        connection.cancel()  # its wait alone: it is committed
        writer.join(30)
        return held_up


def _try(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT pg_logical_emit_message(true, '', '')")


def find_the_standby(server: PostgresServer) -> None:
    set_all(server, synchronous_standby_names="")


def kept(server: PostgresServer, store: PostgresStore) -> tuple[int, bytes]:
    """The number of the last commit, and the value, as the database has them."""
    url = f"postgresql://postgres@/{store._address.given['dbname']}?host={server.folder}"
    return ask(server, LAST_COMMIT, url), ask(server, "SELECT value FROM tq.meta WHERE name = 'x'", url)


@pytest.fixture
def connected() -> list[str]:
    """One entry for each connection that was made."""
    return []


@pytest.fixture
def store(
    server: PostgresServer, database: str, connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostgresStore]:
    real = PostgresStore._connect_line

    def connect(self: PostgresStore) -> PostgresLine:
        connected.append("")
        return real(self)

    monkeypatch.setattr(PostgresStore, "_connect_line", connect)
    store = PostgresStore(read_address(database), None, me=A)
    yield store
    find_the_standby(server)  # whatever the test came to
    store.close()


def test_while_a_synchronous_standby_is_away_no_connections_pile_up(
    server: PostgresServer,
    database: str,
    store: PostgresStore,
    connected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "PAUSE_SECONDS_MAX", 0.1)
    monkeypatch.setattr(waiting, "ANSWER_SECONDS_MAX", 0.4)
    monkeypatch.setattr(masters, "ANSWER_SECONDS_MAX", 0.2)
    store.committer._wait.answer_seconds = 0.4

    def connect() -> PostgresLine:
        connected.append("")
        return PostgresLine(read_address(database), 10)

    put(store, b"1")
    watch = ShardWatch(0, connect, B, lambda seen: None, lambda error: None)
    try:
        lose_the_standby(server)
        writer = Writer(store, b"2")
        eventually(lambda: "synchronous standby: SELECT" in store.committer.away, 40)
        before = len(connected)
        eventually(lambda: len(connected) >= before + CONNECTS, 40)
        assert ask(server, OURS) <= CONNECTIONS_MAX
        assert writer.waits
        find_the_standby(server)
        writer.end()
    finally:
        watch.close()
    assert kept(server, store)[1] == b"2"


def test_a_time_limit_for_all_statements_does_not_end_the_wait_for_a_standby_as_if_it_had_the_commit(
    server: PostgresServer, store: PostgresStore
) -> None:
    set_all(server, statement_timeout="200ms")
    lose_the_standby(server)
    writer = Writer(store, b"1")
    eventually(lambda: ask(server, COMMIT_WAITS), 30)
    assert writer.waits
    find_the_standby(server)
    writer.end()
    assert kept(server, store)[1] == b"1"


def test_a_commit_that_is_seen_after_a_restart_is_acknowledged_when_the_standby_has_it(
    server: PostgresServer, store: PostgresStore
) -> None:
    put(store, b"1")
    before, _ = kept(server, store)
    lose_the_standby(server)
    writer = Writer(store, b"2")
    eventually(lambda: ask(server, COMMIT_WAITS.replace("1 s", "0 s")), 30)
    server.kill()
    server.start()
    assert kept(server, store) == (before + 1, b"2"), "it is there, and seen by all"
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'"
    eventually(lambda: ask(server, waits), 30)
    assert writer.waits
    find_the_standby(server)
    writer.end()
    assert kept(server, store) == (before + 1, b"2")


def test_limits_that_an_administrator_has_set_for_all_end_no_transaction_of_a_master(
    server: PostgresServer, database: str, store: PostgresStore
) -> None:
    set_all(server, lock_timeout="100ms", idle_in_transaction_session_timeout="100ms", statement_timeout="1s")
    name = store._address.given["dbname"]
    server.sql(SLOW_FUNCTION, name)
    server.sql(SLOW_TRIGGER, name)
    put(store, b"1")
    with psycopg.connect(database) as other:
        other.execute("SET idle_in_transaction_session_timeout TO 0")
        other.execute("SELECT 1 FROM tq.shards FOR UPDATE")
        writer = Writer(store, b"2")
        eventually(lambda: ask(server, "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'ShareLock'"), 30)
        assert not threading.Event().wait(0.3), "longer than the limit for all"
        assert writer.waits
    writer.end()
    assert kept(server, store)[1] == b"2"


class TestPreparation:
    """A table that another transaction reads cannot be added to."""

    @pytest.fixture
    def tables(self) -> list[KeptTable]:
        first, *others = schema_tables()
        return [first._replace(columns=(*first.columns, Column("one_more", "bigint"))), *others]

    @pytest.fixture
    def reader(
        self, owners_line: PostgresLine, postgres_url: str, tables: list[KeptTable]
    ) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(postgres_url) as connection:
            connection.execute(f"SELECT FROM {tables[0].qualified}".encode())
            yield connection

    def add(self, line: PostgresLine, address: DatabaseAddress, tables: list[KeptTable]) -> int:
        return prepare(line, address, tables, newest_schema() + 1)

    def test_it_gives_up_with_what_to_do_and_has_others_go_on_meanwhile(
        self,
        owners_line: PostgresLine,
        owners_database: DatabaseAddress,
        reader: psycopg.Connection[Any],
        tables: list[KeptTable],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        paused: list[float] = []
        monkeypatch.setattr(schema, "PREPARE_TRIES", 3)
        monkeypatch.setattr(schema, "PREPARE_LOCK_SECONDS", 0.2)

        def pause(seconds: float) -> None:
            # No one waits in line for the table now.
            with psycopg.connect(_url(owners_database)) as other:
                other.execute("SET lock_timeout TO '10ms'")
                other.execute(f"SELECT FROM {tables[0].qualified}".encode())
            paused.append(seconds)

        monkeypatch.setattr(schema.time, "sleep", pause)
        with pytest.raises(
            ConfigError, match="such as that of a backup; start again when it is over, or end it: SELECT"
        ):
            self.add(owners_line, owners_database, tables)
        assert len(paused) == 3

    def test_it_goes_on_when_the_other_one_has_ended(
        self,
        owners_line: PostgresLine,
        owners_database: DatabaseAddress,
        reader: psycopg.Connection[Any],
        tables: list[KeptTable],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(schema, "PREPARE_LOCK_SECONDS", 0.2)
        end: Callable[[float], None] = lambda seconds: reader.rollback()  # noqa: E731
        monkeypatch.setattr(schema.time, "sleep", end)
        assert self.add(owners_line, owners_database, tables) == newest_schema() + 1


def _url(address: DatabaseAddress) -> str:
    given = address.given
    return f"postgresql://{given['user']}@/{given['dbname']}?host={given['host']}"
