"""Many simulated workers in one process: ``python -m benchmarks.crowd_worker PORT KEY_FILE WORKERS SLOTS``

Every worker has a real connection and speaks the worker's protocol as ``tq-worker`` does: announce, beat,
orders, as many leased tasks in hand as slots (what an agent holds of tasks this long), one finish call at a
time. A task is a timer. On stdin ``SETTLE SECONDS LENGTH`` measures; the answer on stdout is a line of JSON:
tasks done by each worker, and its busy slot seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

from tq.common.auth.keys import Credential
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.runtime.event_loop import run_loop
from tq.common.version import VERSION
from tq.common.wire.address import Address
from tq.common.wire.connection import CallerConnection

DISPATCHER: Final = ["get_dispatcher"]
CONNECTING_AT_ONCE: Final = 4  # a master lets few strangers of one address in at a time
CONNECT_SECONDS_MAX: Final = 60.0
RESULT: Final = b"\xc0"  # nil

length_seconds = 0.1  # of every task begun from now on


class Worker:
    """One connection, and timers in place of children."""

    def __init__(self, connection: CallerConnection, slots: int) -> None:
        self._connection, self._slots = connection, slots
        self._loop = asyncio.get_running_loop()
        self._running = self._asked = 0
        self._outbox: list[list[Any]] = []
        self._finishing = False
        self.done, self.busy_seconds, self._since = 0, 0.0, 0.0

    async def announce(self) -> None:
        info = {
            "host": "simulated",
            "pid": os.getpid(),
            "slots": self._slots,
            "labels": {},
            "tasks": ["bench_tasks:nothing"],
            "queues": None,
            "version": VERSION,
        }
        await self._connection.call(DISPATCHER, "announce", info, [])
        self._connection.call(DISPATCHER, "orders")
        self._beat()

    def work(self) -> None:
        if self._outbox and not self._finishing:
            rows, self._outbox, self._finishing = self._outbox, [], True
            self._connection.call(DISPATCHER, "finish", rows).add_done_callback(self._finished)
        free = self._slots - self._running - len(self._outbox) - self._asked
        if free > 0 and not self._asked:
            self._asked = free
            self._connection.call(DISPATCHER, "lease", free).add_done_callback(self._granted)

    def reset(self) -> None:
        self._account()
        self.done, self.busy_seconds = 0, 0.0

    def totals(self) -> tuple[int, float]:
        self._account()
        return self.done, self.busy_seconds

    def _granted(self, answer: asyncio.Future[Any]) -> None:
        lease, groups = answer.result()
        self._asked = 0
        self._account()
        for _, _, _, entries in groups:
            for first, attempt, payloads, *_ in entries:
                for id in IdRun(first, len(payloads) if isinstance(payloads, list) else 1).ids():
                    self._running += 1
                    self._loop.call_later(length_seconds, self._over, [id, attempt, lease])
        self.work()

    def _over(self, held: list[Any]) -> None:
        self._account()
        self._running -= 1
        self.done += 1
        started = time.time() - length_seconds
        self._outbox.append([*held, int(OutcomeNumber.SUCCESS), RESULT, started, length_seconds, None])
        if len(self._outbox) == 1:
            self._loop.call_soon(self.work)

    def _finished(self, answer: asyncio.Future[Any]) -> None:
        if answer.result():
            raise AssertionError("the master calls a report stale")
        self._finishing = False
        self.work()

    def _account(self) -> None:
        now = self._loop.time()
        self.busy_seconds += self._running * (now - self._since)
        self._since = now

    def _beat(self) -> None:
        if not self._connection.is_closed:
            self._connection.call(DISPATCHER, "beat", [])
            self._loop.call_later(self._connection.welcome.heartbeat_seconds, self._beat)


async def main(port: int, credential: Credential, count: int, slots: int) -> int:
    global length_seconds
    gate = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def connected() -> Worker:
        async with gate:
            connection = await CallerConnection.open(
                Address("127.0.0.1", port),
                credential,
                role=Role.WORKER,
                node=os.urandom(16),
                timeout=CONNECT_SECONDS_MAX,
            )
            worker = Worker(connection, slots)
            await worker.announce()
            return worker

    workers = await asyncio.gather(*(connected() for _ in range(count)))
    _tell("connected")
    loop = asyncio.get_running_loop()
    begun = False
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        settle, seconds, length_seconds = map(float, line.split())
        if not begun:
            begun = True
            for worker in workers:
                worker.work()
        await asyncio.sleep(settle)
        busy_before = time.process_time()
        for worker in workers:
            worker.reset()
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        elapsed = time.perf_counter() - began
        totals = [worker.totals() for worker in workers]
        answer = {"seconds": elapsed, "processor": time.process_time() - busy_before, "totals": totals}
        _tell(answer)
    os._exit(0)  # the measuring is over; a goodbye of a thousand would be measured by the next one


def _tell(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    key = Credential.parse(Path(sys.argv[2]).read_text("utf-8").strip())
    run_loop(main(int(sys.argv[1]), key, int(sys.argv[3]), int(sys.argv[4])))
