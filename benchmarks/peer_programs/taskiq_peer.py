"""Taskiq: two worker processes on a Redis list, a hundred tasks at a time each; a hundred sends at a time."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

URL = os.environ["PEER_URL"]
SENDS = 100
LOOP = asyncio.new_event_loop()
broker = ListQueueBroker(URL).with_result_backend(RedisAsyncResultBackend(URL))


@broker.task
async def nothing(value: int) -> int:
    return value


def run(count: int) -> int:
    return LOOP.run_until_complete(_run(count))


async def _run(count: int) -> int:
    gate = asyncio.Semaphore(SENDS)

    async def sent(number: int) -> Any:
        async with gate:
            return await nothing.kiq(number)

    async def ended(task: Any) -> Any:
        async with gate:
            return (await task.wait_result(check_interval=0.005)).return_value

    tasks = await asyncio.gather(*(sent(number) for number in range(count)))
    results = await asyncio.gather(*(ended(task) for task in tasks))
    return len([result for result in results if result is not None])
