"""A gevent pool: functions that wait in blocking sockets, hundreds at a time in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import decode
from tq.worker.pools.concurrent import GeventHandle

from ..pools.test_process import SECONDS, Nursery, failure

TASKS_FILE = Path(__file__).with_name("gevent_tasks.py")


def with_child(test: Callable[[Nursery], Awaitable[None]]) -> None:
    async def run() -> None:
        one = Nursery(str(TASKS_FILE), handle=GeventHandle, module="gevent_tasks")
        try:
            await asyncio.wait_for(one.tasks, SECONDS)
            await test(one)
        finally:
            one.child.signal(kill=True)
            await one.died()

    asyncio.run(run())


def test_hundreds_of_functions_wait_in_sockets_at_once_in_one_process() -> None:
    count, said = 200, list[str]()
    all_here = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.append((await reader.read(100)).decode())
        if len(said) == count:
            all_here.set()
        await all_here.wait()
        writer.write(b"all are here\n")
        writer.close()

    async def test(one: Nursery) -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0, backlog=count) as server:
            port = server.sockets[0].getsockname()[1]
            ordinals = one.send(*(("ask", port, f"word {number}") for number in range(count)))
            answers = [decode((await one.report(ordinal)).body or b"") for ordinal in ordinals]
        assert answers == [("all are here\n", one.child.pid)] * count
        assert sorted(said) == sorted(f"word {number}" for number in range(count))

    with_child(test)


def test_what_waits_for_a_server_is_ended_there_at_its_limit_and_others_go_on() -> None:
    asked = asyncio.Semaphore(0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.release()
        await reader.read()
        writer.close()

    async def test(one: Nursery) -> None:
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            first, second = one.send(("get", port), ("get", port), timeout=1.0)
            await asyncio.wait_for(asked.acquire(), SECONDS)
            await asyncio.wait_for(asked.acquire(), SECONDS)
            one.child.notify(first, "timeout")
            report = await one.report(first)
            assert (report.outcome, failure(report).type) == (OutcomeNumber.TIMEOUT, "TimeLimit")
            assert "getresponse" in failure(report).traceback
            assert second not in one.reports
            one.child.notify(second, "cancel")
            assert (await one.report(second)).outcome == OutcomeNumber.CANCELLED

    with_child(test)
