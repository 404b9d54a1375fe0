"""Steps as a task calls them, in functions and in coroutines, over a real engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tq.common.errors import InvalidArgument, NotSerializable
from tq.worker.child.steps import AttemptSteps

from tests.master.conftest import new_store
from tests.master.steps.conftest import TaskLife, life, make_life

__all__ = ["life", "make_life", "new_store"]  # fixtures


@pytest.fixture
def database() -> str:
    """What steps do over each kind of store is a matter of tests/master/steps."""
    return "sqlite"


def test_in_a_coroutine_steps_are_awaited_and_may_be_coroutines(life: TaskLife) -> None:
    async def later(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def body(steps: AttemptSteps) -> list[Any]:
        one = await steps.call("one", later, (1,), {})
        return [one, *await asyncio.gather(*(steps.call(str(n), later, (n,), {}) for n in (2, 3)))]

    assert life.run(lambda steps: asyncio.run(body(steps))) == [1, 2, 3]
    assert life.names == ["one", "2", "3"]


def test_a_coroutine_in_a_plain_task_and_a_result_in_place_of_a_function_are_refused(life: TaskLife) -> None:
    async def later() -> int:
        return 1

    steps = life.lease()
    with pytest.raises(InvalidArgument, match=r"await ctx\.step"):
        steps.call("one", later, (), {})
    with pytest.raises(InvalidArgument, match="give it the function and its arguments"):
        steps.call("one", 5, (), {})  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="the name of a step"):
        steps.call("", later, (), {})
    with pytest.raises(NotSerializable, match="the result of step 'one'"):
        steps.call("one", object, (), {})
