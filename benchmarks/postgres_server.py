"""A PostgreSQL of the benchmark's own, where its programs are installed: that of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.postgres_server import PostgresServer, installed


@contextmanager
def postgres(*, durable: bool, settings: tuple[str, ...] = ()) -> Iterator[str]:
    """Its URL. ``durable``: with the settings that it comes with, which sync every commit; else nothing is synced."""
    if installed() is None:
        raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")
    server = PostgresServer(durable=durable, settings=settings)
    try:
        server.start()
        yield server.url()
    finally:
        server.close()


__all__ = ["installed", "postgres"]
