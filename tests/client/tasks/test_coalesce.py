"""Functions that get a list: what is refused where they are decorated, and what travels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import tq


@dataclass
class Order:
    number: int


def good(words: list[str]) -> list[int]: ...
def two(words: list, lang: str) -> list: ...  # type: ignore[type-arg]
def none() -> list: ...  # type: ignore[type-arg]
def keyword(*, words: list) -> list: ...  # type: ignore[type-arg]
def many(*words: str) -> list: ...  # type: ignore[type-arg]
def typed(orders: list[Order]) -> list: ...  # type: ignore[type-arg]
def in_context(words: list, ctx: tq.Context) -> list: ...  # type: ignore[type-arg]
async def coroutine(words: list) -> list: ...  # type: ignore[type-arg]


@pytest.fixture
def app() -> tq.App:
    return tq.App("tq://127.0.0.1:1", "secret")


def test_what_travels_says_how_many_run_as_one(app: tq.App) -> None:
    task = app.task(coalesce=tq.Coalesce(100, seconds=0.5))(good)
    assert task._choice.columns is not None
    assert task._choice.columns.to_wire() == {"coalesce": [100, 500]}
    assert task.__tq_task__.terms.coalesce == tq.Coalesce(100, seconds=0.5)
    assert task.using(priority=3)._choice.columns == task._choice.columns
    assert task(["a"]) is None, "called here, it is the function"


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (
            two,
            "two is called with one list, of the argument of each call, and its parameters are words, lang; write def two(items: list)",
        ),
        (none, "its parameters are none"),
        (keyword, "its parameters are words"),
        (many, "its parameters are words"),
        (
            typed,
            "typed gets plain values, and its annotation makes others of them; write def typed(orders: list)",
        ),
        (in_context, "it has no ctx: tq.Context; leave that out"),
        (coroutine, "coroutine is a coroutine: many of those run at once by themselves; write def coroutine"),
    ],
)
def test_a_function_that_gets_no_list_is_refused_where_it_is_decorated(
    app: tq.App, function: Callable[..., Any], why: str
) -> None:
    with pytest.raises(tq.InvalidArgument) as refused:
        app.task(coalesce=tq.Coalesce(5))(function)
    assert why in str(refused.value)


def test_it_is_of_the_function_and_of_no_variant(app: tq.App) -> None:
    plain = app.task(good)
    with pytest.raises(tq.InvalidArgument, match=r"write it at @app\.task, and not in using"):
        plain.using(coalesce=tq.Coalesce(5))
