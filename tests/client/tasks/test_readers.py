"""Results as a stream: plain ones are decoded many at once, and nothing else changes by that."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
from datetime import date
from typing import Any

import pytest
import tq

from ..conftest import MasterInMemory

CALLS_PER_TASK_MAX = 6  # of functions, in the thread of the program


@pytest.fixture
def same(app: tq.App, master: MasterInMemory) -> Any:
    def same(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("bad"):
            raise ValueError(value)
        return value

    master.functions["m:same"] = same
    return app.named("m:same")


VALUES = [1, "two", None, [3, {"a": 4}], date(2026, 11, 29), (5, 6), b"x" * 10_000, 2**70, {7, 8}]


def test_results_of_any_kinds_come_back_in_order_and_with_their_types(same: Any) -> None:
    for values in (VALUES, list(range(3_000)), [*range(3_000), *VALUES, *range(3_000)]):
        handles = same.map(values)
        assert list(handles.results(timeout=20)) == values
        assert list(handles.results(timeout=20)) == values  # of another reader


def test_an_error_is_raised_in_its_turn_and_the_results_behind_it_follow(same: Any) -> None:
    results = same.map([1, 2, "bad", 3, "bad too", 4]).results(timeout=20)
    seen: list[Any] = []
    while True:
        try:
            seen.append(next(results))
        except tq.TaskError as error:
            seen.append(error.message)
        except StopIteration:
            break
    assert seen == [1, 2, "bad", 3, "bad too", 4]


def test_errors_are_yielded_in_place_of_results_if_asked_for(same: Any) -> None:
    one, error, two = same.map([1, "bad", 2]).results(timeout=20, return_exceptions=True)
    assert (one, two, type(error)) == (1, 2, tq.TaskError)


def test_an_event_loop_reads_the_same(same: Any) -> None:
    async def read() -> list[Any]:
        return [value async for value in same.map([*range(3_000), *VALUES]).results(timeout=20)]

    assert asyncio.run(read()) == [*range(3_000), *VALUES]


def test_a_map_and_its_results_cost_a_few_calls_of_functions_for_each_task(same: Any) -> None:
    list(same.map(range(10)).results())
    profile = cProfile.Profile()
    profile.enable()
    total = sum(same.map(range(10_000)).results())
    profile.disable()
    assert total == sum(range(10_000))
    assert pstats.Stats(profile).total_calls / 10_000 <= CALLS_PER_TASK_MAX  # type: ignore[attr-defined]
