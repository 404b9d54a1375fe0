"""PgQueuer: two worker processes on PostgreSQL. It keeps no results: a task is done when it has left the queue's table.

Run as a program it is the two processes.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os

import asyncpg
from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries

URL = os.environ["PEER_URL"]
PROCESSES = 2
BATCH = 100
LOOK_SECONDS = 0.005
LOOP = asyncio.new_event_loop()


def run(count: int) -> int:
    return LOOP.run_until_complete(_run(count))


async def _run(count: int) -> int:
    connection = await asyncpg.connect(URL)
    done = "SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'"
    before = await connection.fetchval(done)
    payloads: list[bytes | None] = [str(number).encode() for number in range(count)]
    await Queries(AsyncpgDriver(connection)).enqueue(["nothing"] * count, payloads, [0] * count)
    while await connection.fetchval("SELECT EXISTS (SELECT FROM pgqueuer)"):  # noqa: ASYNC110 - others do
        await asyncio.sleep(LOOK_SECONDS)
    after = await connection.fetchval(done)
    await connection.close()
    return int(after - before)


def work() -> None:
    asyncio.run(_work())


async def _work() -> None:
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(URL)))

    @queue.entrypoint("nothing")
    async def nothing(job: Job) -> None:
        int(job.payload or b"")

    await queue.run(batch_size=BATCH)


if __name__ == "__main__":
    for worker in [multiprocessing.get_context("spawn").Process(target=work) for _ in range(PROCESSES)]:
        worker.start()
