"""Outboxes in both kinds of databases, and a program that writes to them."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tq.client.cli.outbox.address import open_database
from tq.client.cli.outbox.database import OutboxDatabase
from tq.client.outbox.outbox import DatabaseOutbox
from tq.client.outbox.table import NewRow
from tq.common.contract.outbox import OutboxSubmit
from tq.common.domain.ids import new_ids

_schemas = itertools.count(1)


class Program(NamedTuple):
    """``connect``: a connection of the program's own. ``open``: another connection of a relay."""

    connect: Callable[[], Any]
    open: Callable[[], OutboxDatabase]
    schema: str | None
    shown: str

    def insert(self, *rows: NewRow) -> list[bytes]:
        """In one transaction, which is committed."""
        connection = self.connect()
        DatabaseOutbox(connection, self.schema).write(rows)
        connection.commit()
        connection.close()
        return [row.id for row in rows]


def new_row(queue: str = "q", task: str = "m:f", body: bytes | None = None, tasks: int = 1) -> NewRow:
    """A row as ``using(outbox=…)`` writes it."""
    made = OutboxSubmit(queue, task, {}, [[new_ids(), b"\x92\x90\x80"]]).to_bytes()
    return NewRow(new_ids(), queue, task, tasks, made if body is None else body)


def sqlite_program(path: Path) -> Program:
    open_database(str(path), None, makes=True).make(notifies=False)
    return Program(lambda: sqlite3.connect(path), lambda: open_database(str(path), None), None, str(path))


def postgres_program(address: str) -> Program:
    import psycopg

    schema = f"outbox_{next(_schemas)}"
    opened = open_database(address, schema)
    opened.make(notifies=True)
    opened.close()
    return Program(
        lambda: psycopg.connect(address),
        lambda: open_database(address, schema, listens=True),
        schema,
        address,
    )


@pytest.fixture(params=["sqlite", "postgres"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    if request.param == "sqlite":
        return sqlite_program(tmp_path / "app.db")
    return postgres_program(request.getfixturevalue("postgres_address"))


@pytest.fixture
def database(program: Program) -> Iterator[OutboxDatabase]:
    opened = program.open()
    yield opened
    opened.close()
