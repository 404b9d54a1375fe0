"""A database whose disk or connections are used up, or that an administrator has made read-only: refused or waited for, and gone on with."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from tq.common.errors import ConfigError
from tq.master.store.postgres.address import read_address
from tq.master.store.postgres.store import PostgresStore

from tests.cluster.programs import eventually
from tests.faults.disk import SmallDisk, small_disk
from tests.postgres import PostgresServer, require

from .writing import Writer, ask, put

CONNECTIONS = 20
DISK_BYTES = 64 * 1024 * 1024
SMALL = ("max_wal_size=4MB", "min_wal_size=2MB", "shared_buffers=1MB")
LARGE = 100_000
END_OURS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tq-master'"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    require()
    server = PostgresServer(settings=(f"max_connections={CONNECTIONS}",))
    try:
        server.start()
        yield server
    finally:
        server.close()


@contextmanager
def opened(url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(read_address(url), None)
    try:
        yield store
    finally:
        store.close()


def test_a_database_without_connections_left_is_waited_for_and_named_at_a_start(
    server: PostgresServer,
) -> None:
    url = server.create("crowded")
    with opened(url) as store, ExitStack() as others:
        put(store, b"1")
        first = others.enter_context(psycopg.connect(url, autocommit=True))
        first.execute(END_OURS)
        with suppress(psycopg.OperationalError):
            while True:
                others.enter_context(psycopg.connect(url))
        writer = Writer(store, b"2")
        eventually(lambda: "too many clients" in store.committer.away)
        with pytest.raises(ConfigError, match="raise max_connections there"):
            PostgresStore(read_address(url), None)
        assert writer.waits
        others.close()
        writer.end()
        assert bytes(ask(server, "SELECT value FROM tq.meta WHERE name = 'x'", url)) == b"2"


def test_a_database_that_is_made_read_only_is_waited_for_and_named_at_a_start(server: PostgresServer) -> None:
    url = server.create("closed")
    with opened(url) as store:
        put(store, b"1")
        server.sql("ALTER DATABASE closed SET default_transaction_read_only = on")
        server.sql(END_OURS)
        writer = Writer(store, b"2")
        eventually(lambda: "read-only transaction" in store.committer.away)
        with pytest.raises(ConfigError, match="an administrator has made it so"):
            PostgresStore(read_address(url), None)
        assert writer.waits
        server.sql("ALTER DATABASE closed RESET default_transaction_read_only")
        writer.end()
        assert bytes(ask(server, "SELECT value FROM tq.meta WHERE name = 'x'", url)) == b"2"


@pytest.fixture
def disk() -> Iterator[tuple[Path, SmallDisk]]:
    # The server's own user must reach it
    folder = Path(tempfile.gettempdir()) / f"tq-small-disk-{os.getpid()}"
    with small_disk(folder, DISK_BYTES) as disk:
        folder.chmod(0o755)
        yield folder, disk
    folder.rmdir()


def test_a_full_disk_of_the_database_loses_nothing_that_was_acknowledged(
    disk: tuple[Path, SmallDisk],
) -> None:
    require()
    folder, small = disk
    server = PostgresServer(settings=SMALL, parent=folder, durable=True, initdb=("--wal-segsize=1",))
    try:
        server.start()
        with opened(server.url()) as store:
            put(store, b"1")
            small.fill()
            acknowledged, last = fill(store)
            small.free()
            if not server.is_running:
                server.start()
            last.end()
            put(store, b"2")
        found = {row[0] for row in names(server)}
        assert set(acknowledged) <= found
        assert bytes(ask(server, "SELECT value FROM tq.meta WHERE name = 'x'")) == b"2"
    finally:
        server.close()


def fill(store: PostgresStore) -> tuple[list[str], Writer]:
    """Large values until one is refused, or waits: what was acknowledged before, and that one."""
    acknowledged: list[str] = []
    for number in range(1000):
        writer = Writer(store, os.urandom(LARGE), name := f"large{number}")
        eventually(lambda writer=writer: not writer.waits or store.committer.away, 60)  # type: ignore[misc]
        if writer.waits or writer.error is not None:
            return acknowledged, writer
        acknowledged.append(name)
    raise AssertionError("it was never full")


def names(server: PostgresServer) -> list[tuple[str]]:
    with psycopg.connect(server.url()) as connection:
        return connection.execute("SELECT name FROM tq.meta").fetchall()
