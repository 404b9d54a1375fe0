"""Tasks that ask for resources and are called as functions: with one that is given, or with one of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import tq
from tq.client.tasks.signature import Arguments
from tq.common.runtime.made_resources import MadeResources, made_here, provide

app = tq.App()
notes: list[str] = []


@app.resource
def db() -> Iterator[list[str]]:
    notes.append("opens")
    yield ["db"]
    notes.append("closes")


@app.resource
async def session(conn: list[str] = tq.resource(db)) -> AsyncIterator[list[str]]:
    yield ["session", *conn]


@app.task
def count(table: str, conn: list[str] = tq.resource(db), *, ctx: tq.Context) -> list[str]:
    return [table, *conn, str(ctx.attempt)]


@app.task
async def fetch(url: str, over: list[str] = tq.resource(session)) -> list[str]:
    return [url, *over]


@pytest.fixture(autouse=True)
def _nothing_noted() -> None:
    notes.clear()


def test_what_is_given_is_used_and_nothing_is_made() -> None:
    # The context is filled in, which the signature of a function cannot say.
    assert count("t", ["fake"]) == count("t", conn=["fake"]) == ["t", "fake", "1"]  # type: ignore[call-arg]
    assert asyncio.run(fetch("u", over=["fake"])) == ["u", "fake"]
    assert notes == []


def test_without_one_it_is_made_for_the_call_and_closed_behind_it() -> None:
    assert count("t") == ["t", "db", "1"]  # type: ignore[call-arg]
    assert notes == ["opens", "closes"]
    assert asyncio.run(fetch("u")) == ["u", "session", "db"]
    assert notes == ["opens", "closes"] * 2


def test_where_tasks_run_it_is_that_of_the_child() -> None:
    made = MadeResources()
    provide(made, of_thread=True)
    try:
        assert count("t") == count("t")  # type: ignore[call-arg]
        assert made_here() is made
        assert notes == ["opens"]
    finally:
        provide(None, of_thread=True)


def test_who_submits_leaves_it_out() -> None:
    def job(a: int, conn: list[str] = tq.resource(db), b: int = 2) -> None: ...

    arguments = Arguments(job)
    assert arguments.fit((1,), {}) == ((1,), {})
    assert arguments.fit((1, 5), {}) == (
        (1,),
        {"b": 5},
    )  # behind it by name: the worker gives the resource by name, too
    assert arguments.fit((1,), {"b": 5}) == ((1,), {"b": 5})
    with pytest.raises(
        TypeError, match=r"job\(a: .int., b.*: conn is a resource, which the worker makes; leave it out"
    ):
        arguments.fit((1,), {"conn": []})
    with pytest.raises(TypeError, match="too many positional arguments"):
        arguments.fit((1, 2, 3), {})
