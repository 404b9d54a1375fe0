"""The PostgreSQL of the tests, and what a test does where there is none."""

from __future__ import annotations

import os

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


__all__ = ["PostgresServer", "require", "why_not"]
