"""A PostgreSQL and its streaming standby, which can take its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, NamedTuple

import psycopg

from .cluster.programs import eventually
from .postgres_server import PostgresServer

STREAMS: Final = "SELECT 1 FROM pg_stat_replication WHERE sync_state = %s AND state = 'streaming'"


class Pair(NamedTuple):
    primary: PostgresServer
    standby: PostgresServer

    @property
    def url(self) -> str:
        """Of whichever is the primary."""
        folders = f"{self.primary.folder},{self.standby.folder}"
        return f"postgresql://postgres@/postgres?host={folders}&target_session_attrs=read-write"

    def be_synchronous(self) -> None:
        self.primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.sql("SELECT pg_reload_conf()")
        self.until_it_streams("sync")

    def until_it_streams(self, kind: str) -> None:
        with psycopg.connect(self.primary.url(), autocommit=True) as connection:
            eventually(lambda: connection.execute(STREAMS, (kind,)).fetchone())


@contextmanager
def replicated() -> Iterator[Pair]:
    """Both run; the standby follows without being waited for."""
    from .postgres import require

    require()
    with ExitStack() as stack:
        primary = PostgresServer()
        stack.callback(primary.close)
        primary.start()
        standby = PostgresServer(primary=primary)
        stack.callback(standby.close)
        standby.start()
        yield Pair(primary, standby)
