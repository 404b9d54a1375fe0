"""The PostgreSQL of the tests, and what a test does where there is none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .postgres_server import PostgresServer, installed


def why_not() -> str | None:
    """Why no test can have one."""
    try:
        import psycopg  # noqa: F401 - whether it is there
    except ImportError:
        return "psycopg is not installed: pip install 'tq[postgres]'"
    return None if installed() is not None else "PostgreSQL is not installed: apt-get install postgresql"


def require() -> None:
    """Skip the test where there is none. With CI set it fails instead."""
    reason = why_not()
    if reason is not None and os.environ.get("CI"):
        pytest.fail(reason)
    if reason is not None:
        pytest.skip(reason)


@contextmanager
def serving() -> Iterator[PostgresServer]:
    """A server for the block; without one the test is skipped."""
    require()
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.close()


__all__ = ["PostgresServer", "require", "serving", "why_not"]
