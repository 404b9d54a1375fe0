"""Functions around tasks: their order, and what cannot be one."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import tq
from tq.common.domain.hooks import AFTER, BEFORE, CHILD_START, CHILD_STOP, Hooks


def first(*args: Any) -> None: ...


def second(*args: Any) -> None: ...


async def awaited(*args: Any) -> None: ...


async def later() -> None: ...


def without_arguments() -> None: ...


def with_one(ctx: tq.Context) -> None: ...


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (CHILD_START, ["first", "second"]),
        (BEFORE, ["first", "second"]),
        (AFTER, ["second", "first"]),
        (CHILD_STOP, ["second", "first"]),
    ],
)
def test_what_ends_runs_in_the_reverse_order_of_what_begins(kind: str, names: list[str]) -> None:
    hooks = Hooks()
    hooks.add(kind, first)
    hooks.add(kind, second)
    assert [one.name for one in hooks.of(kind)] == [f"{__name__}:{name}" for name in names]
    assert hooks.has_around_tasks == (kind in (BEFORE, AFTER))


def test_a_coroutine_runs_around_coroutines_only() -> None:
    hooks = Hooks()
    hooks.add(BEFORE, first)
    hooks.add(BEFORE, awaited)
    assert [one.function for one in hooks.of(BEFORE, with_coroutines=False)] == [first]
    assert [one.function for one in hooks.of(BEFORE)] == [first, awaited]


@pytest.mark.parametrize(
    ("kind", "function", "words"),
    [
        (BEFORE, lambda ctx: None, "not a function with a name.*write @app.before over def note_start"),
        (AFTER, functools.partial(first), "not a function with a name.*write @app.after over def note_end"),
        (BEFORE, 5, "5 is not a function with a name"),
        (
            BEFORE,
            without_arguments,
            "without_arguments cannot be called so: too many positional arguments; write",
        ),
        (AFTER, with_one, r"with_one cannot be called so.*ended: tq\.Ended"),
        (CHILD_START, with_one, "missing a required argument: 'ctx'; write @app.on_child_start over def"),
        (
            CHILD_STOP,
            later,
            "later is async def, and no event loop runs then; write def, or make what it opens",
        ),
    ],
)
def test_what_cannot_be_one_is_refused_with_the_line_to_write(kind: str, function: Any, words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=words):
        Hooks().add(kind, function)
