"""Tasks that ask for resources, for test_hooks.py."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import tq

app = tq.App()


def note(line: str) -> None:
    """Where the test reads it, whichever process writes."""
    with Path(os.environ["HOOKS_NOTES"]).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


class Connection:
    def __init__(self, name: str) -> None:
        self.name = name


@app.resource
def db() -> Iterator[Connection]:
    note("db opens")
    if not Path(os.environ["HOOKS_NOTES"] + ".up").exists():
        raise OSError("the server is down")
    yield Connection("db")
    note("db closes")


@app.resource
async def session(conn: Connection = tq.resource(db)) -> AsyncIterator[Connection]:
    note("session opens")
    yield Connection(f"session of {conn.name}")
    note("session closes")


@app.on_child_stop
def resources_are_closed() -> None:
    note("stops")


@app.task
def query(table: str, conn: Connection = tq.resource(db), limit: int = 5) -> str:
    return f"{table} {conn.name} {limit}"


@app.task
async def fetch(url: str, *, ctx: tq.Context, over: Connection = tq.resource(session)) -> str:
    return f"{url} {over.name} {ctx.attempt}"


@app.task
def calls_the_other(table: str) -> str:
    return query(table, limit=7)
