"""Procrastinate: two worker processes on PostgreSQL. It keeps no results: a task is done when none is left to do.

``python procrastinate_peer.py tables | work``: make its tables; be the two processes.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys

from procrastinate import App, PsycopgConnector

URL = os.environ["PEER_URL"]
PROCESSES = 2
AT_ONCE = 100
LOOK_SECONDS = 0.005
LOOP = asyncio.new_event_loop()
app = App(connector=PsycopgConnector(conninfo=URL))


@app.task(name="nothing")
async def nothing(value: int) -> int:
    return value


def run(count: int) -> int:
    return LOOP.run_until_complete(_run(count))


async def _run(count: int) -> int:
    async with app.open_async():
        done = "SELECT count(*) AS jobs FROM procrastinate_jobs WHERE status = 'succeeded'"
        left = "SELECT count(*) AS jobs FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        before = await _jobs(done)
        await nothing.batch_defer_async(*({"value": number} for number in range(count)))
        while await _jobs(left):  # noqa: ASYNC110 - others do
            await asyncio.sleep(LOOK_SECONDS)
        return await _jobs(done) - before


async def _jobs(question: str) -> int:
    return int((await app.connector.execute_query_one_async(question))["jobs"])


async def _make_tables() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


def work() -> None:
    asyncio.run(_work())


async def _work() -> None:
    async with app.open_async():
        await app.run_worker_async(concurrency=AT_ONCE)


if __name__ == "__main__":
    if sys.argv[1] == "tables":
        asyncio.run(_make_tables())
    else:
        for worker in [multiprocessing.get_context("spawn").Process(target=work) for _ in range(PROCESSES)]:
            worker.start()
