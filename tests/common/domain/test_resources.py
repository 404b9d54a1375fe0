"""What may be a resource, and who may ask for it: refused where it is written."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import tq
from tq.common.domain.resources import SharedResource, asked_by, check_resources


def db() -> Iterator[int]:
    yield 1


async def session() -> AsyncIterator[int]:
    yield 2


DB, SESSION = SharedResource[int](db), SharedResource[int](session)


def takes(table: str, conn: int = tq.resource(DB), *, other: int = tq.resource(SESSION)) -> None: ...


def takes_none(table: str, conn: int = 5) -> None: ...


def test_a_resource_is_asked_for_by_the_default_of_a_parameter() -> None:
    assert asked_by(takes, "takes") == {"conn": DB, "other": SESSION}
    assert asked_by(takes_none, "takes_none") == {}
    assert asked_by(functools.wraps(takes)(lambda *args, **kwargs: None), "wrapped") == {
        "conn": DB,
        "other": SESSION,
    }


def test_it_is_shown_as_it_was_written() -> None:
    assert "conn: 'int' = tq.resource(db)" in str(__import__("inspect").signature(takes))
    assert repr(DB) == f"<tq resource {__name__}:db>"


def test_a_resource_asks_for_others_in_the_same_way() -> None:
    async def pages(conn: int = tq.resource(DB), size: int = 5) -> AsyncIterator[int]:
        yield conn

    made = SharedResource[int](pages)
    assert (made.asks, made.is_coroutine) == ({"conn": DB}, True)


def test_what_is_no_function_that_yields_is_refused() -> None:
    def returns() -> int:
        return 1

    for wrong in (returns, lambda: 1, 5, tq.App().task(takes_none)):
        with pytest.raises(
            tq.InvalidArgument, match=r"is not a function that yields; write def db\(\): conn"
        ):
            SharedResource[Any](wrong)  # type: ignore[arg-type]


def test_a_parameter_that_no_worker_can_give_is_refused() -> None:
    def of(url: str) -> Iterator[str]:
        yield url

    with pytest.raises(tq.InvalidArgument, match=r"has the parameter url.*url = tq\.resource"):
        SharedResource[str](of)


def test_only_a_coroutine_may_ask_for_an_async_resource() -> None:
    def plain(conn: int = tq.resource(SESSION)) -> None: ...

    async def later(conn: int = tq.resource(SESSION)) -> None: ...

    def on_it(conn: int = tq.resource(SESSION)) -> Iterator[int]:
        yield conn

    check_resources(later)
    with pytest.raises(
        tq.InvalidArgument, match=r"conn is the async resource .*:session.*write async def plain"
    ):
        tq.App().task(plain)
    with pytest.raises(
        tq.InvalidArgument, match=r"conn is the async resource .*:session.*write async def .*on_it"
    ):
        tq.App().resource(on_it)


@pytest.mark.parametrize("wrong", [db, 5, None, "db"])
def test_what_is_no_resource_cannot_be_asked_for(wrong: Any) -> None:
    with pytest.raises(tq.InvalidArgument, match=r"is not a resource; write @app\.resource over"):
        tq.resource(wrong)


def test_no_circle_can_be_written() -> None:
    """A default is computed where the function stands: what it asks for is there already."""

    def circle(app: tq.App) -> None:
        @app.resource
        def first(other: int = tq.resource(second)) -> Iterator[int]:  # type: ignore[has-type]  # noqa: F821
            yield other

        @app.resource
        def second(other: int = tq.resource(first)) -> Iterator[int]:
            yield other

    with pytest.raises(UnboundLocalError, match="second"):
        circle(tq.App())


def test_one_before_the_slash_is_refused() -> None:
    def job(conn: int = tq.resource(DB), /) -> None: ...

    with pytest.raises(
        tq.InvalidArgument, match="the resource conn is given by name; move it behind the '/'"
    ):
        check_resources(job)
