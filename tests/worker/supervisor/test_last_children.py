"""How long a worker that ends waits for its children."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from tq.worker.supervisor.last_children import LastChildren

READY: Any = SimpleNamespace(ready=True)
STARTING: Any = SimpleNamespace(ready=False)
SECONDS = 40.0  # of a busy machine


async def begun(last: LastChildren, runners: list[Any]) -> asyncio.Task[None]:
    waiting = asyncio.ensure_future(last.wait(runners, SECONDS))
    for _ in range(10):
        await asyncio.sleep(0)
    return waiting


@pytest.mark.parametrize("runners", [[], [STARTING]])
def test_a_child_that_has_served_nothing_is_not_waited_for(runners: list[Any]) -> None:
    async def test() -> None:
        assert (await begun(LastChildren(), runners)).done()

    asyncio.run(test())


def test_the_wait_ends_with_the_last_child() -> None:
    async def test() -> None:
        last = LastChildren()
        waiting = await begun(last, [READY, READY])
        last.left([READY])
        await asyncio.sleep(0)
        assert not waiting.done()
        last.left([STARTING])
        await asyncio.wait_for(waiting, SECONDS)

    asyncio.run(test())


def test_one_that_was_killed_is_not_waited_for() -> None:
    async def test() -> None:
        last = LastChildren()
        last.is_killed = True
        assert (await begun(last, [READY])).done()

    asyncio.run(test())


def test_one_that_does_not_end_is_waited_for_no_longer_than_it_may_take() -> None:
    async def test() -> None:
        await asyncio.wait_for(LastChildren().wait([READY], 0.01), SECONDS)

    asyncio.run(test())
