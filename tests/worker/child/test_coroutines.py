"""A coroutine alone in its process: where it is cancelled, and where what ends it is raised in its own code."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest
from tq.common.errors import CancelRequested, TimeLimit
from tq.worker.child.coroutines import Coroutines


@pytest.fixture
def coroutines() -> Iterator[Coroutines]:
    """In a child its loop ends with the process."""
    made = Coroutines()
    yield made
    made._loop.close()


async def rest() -> None:
    await asyncio.Event().wait()


def test_where_it_waits_it_is_cancelled_and_its_end_may_take_steps(coroutines: Coroutines) -> None:
    left: list[str] = []

    async def job() -> None:
        def strike() -> None:
            assert coroutines.interrupt(TimeLimit("too long"))

        asyncio.get_running_loop().call_soon(strike)
        try:
            await rest()
        finally:
            await asyncio.sleep(0)
            left.append("cleaned up")

    with pytest.raises(TimeLimit, match="too long"):
        coroutines.run(job())
    assert left == ["cleaned up"]
    assert coroutines.why() is TimeLimit


def test_in_its_own_code_the_caller_raises_it_also_inside_a_task_group(coroutines: Coroutines) -> None:
    async def job() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(rest())
            await asyncio.sleep(0)
            error = CancelRequested("cancelled")
            assert not coroutines.interrupt(error)
            raise error

    with pytest.raises(CancelRequested):
        coroutines.run(job())


def test_what_it_catches_it_may_answer_and_its_own_errors_are_its_own(coroutines: Coroutines) -> None:
    async def answers() -> Any:
        asyncio.get_running_loop().call_soon(coroutines.interrupt, CancelRequested("cancelled"))
        try:
            await rest()
        except asyncio.CancelledError:
            return "caught"

    async def raises() -> None:
        raise asyncio.CancelledError

    assert coroutines.run(answers()) == "caught"
    with pytest.raises(asyncio.CancelledError):
        coroutines.run(raises())
    assert not coroutines.interrupt(TimeLimit("nothing runs"))


def test_a_loop_that_was_left_in_the_middle_is_not_used_again(coroutines: Coroutines) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def job() -> None:
        loops.append(asyncio.get_running_loop())
        if len(loops) == 1:

            def strike() -> None:
                raise KeyboardInterrupt

            loops[0].call_soon(strike)
            await rest()

    with pytest.raises(KeyboardInterrupt):
        coroutines.run(job())
    coroutines.run(job())
    coroutines.run(job())
    assert loops[0] is not loops[1]
    assert loops[1] is loops[2]


def test_one_that_was_left_in_the_middle_is_collected_without_a_word(
    coroutines: Coroutines, caplog: pytest.LogCaptureFixture
) -> None:
    async def job() -> None:
        def strike() -> None:
            raise SystemExit(1)

        asyncio.get_running_loop().call_soon(strike)
        await rest()

    with pytest.raises(SystemExit) as struck:
        coroutines.run(job())
    del struck
    gc.collect()
    assert "Task was destroyed but it is pending" not in caplog.text
