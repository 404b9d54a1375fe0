"""What a task costs a worker without its master: processor time of the supervisor and of a child.

``python -m benchmarks.worker``. Everything of the worker is real but its connection: leases are answered in the program, and are decoded
as from bytes of a master; reports are encoded as they are sent. Processor time is read and no clock, so the
figures hold on a machine that has other things to do; the median of several rounds is shown.

Not measured: TLS, frames of the network, the master.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import psutil
from tq.common.auth.keys import Credential
from tq.common.runtime.config import WorkerSettings
from tq.common.runtime.garbage import freeze_started
from tq.common.values.codec import encode_call
from tq.common.wire.address import Address
from tq.common.wire.frames import pack, unpack
from tq.worker.supervisor.supervisor import Supervisor

TASKS_FILE: Final = str(Path(__file__).with_name("bench_tasks.py"))
PAYLOAD: Final = encode_call((12345,), {})
WARM_UP: Final = 10_000


class Answers:
    """In place of the connection: grants as long as there are tasks, and takes every report."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.tasks = self.left = 0
        self.done: asyncio.Future[None]
        self._next_id = 0
        self.own_seconds = 0.0  # of processor time, spent on being the master
        self._parked: list[tuple[Callable[[Any], None], int]] = []

    def start(self, tasks: int) -> None:
        self.tasks = self.left = tasks
        self.done = self._loop.create_future()
        parked, self._parked = self._parked, []
        for then, want in parked:
            self.request("lease", then, want)

    def request(self, method: str, then: Callable[[Any], None], *args: Any, **_: Any) -> None:
        if method == "lease":
            if not self.tasks:
                self._parked.append((then, args[0]))
                return
            want = min(args[0], self.tasks)
            self.tasks -= want
            self._loop.call_soon(lambda: then(unpack(self._reply(want))))
        elif method == "finish":
            pack(args)
            rows, _, slices = (*args, None, None)[:3]
            self.left -= len(rows) + sum(len(one.results) for one in slices or ())
            self._loop.call_soon(then, [])
            if not self.left:
                self.done.set_result(None)

    def notify(self, method: str, *args: Any) -> None: ...

    def _reply(self, count: int) -> bytes:
        began = time.process_time()
        first, self._next_id = self._next_id, self._next_id + count
        entries = (
            [[first.to_bytes(16, "big"), 1, [PAYLOAD] * count]]
            if count > 1
            else [[first.to_bytes(16, "big"), 1, PAYLOAD]]
        )
        reply = pack([os.urandom(16), [["default", "bench_tasks:nothing", None, entries]]])
        self.own_seconds += time.process_time() - began
        return reply


async def _measure(tasks: int, slots: int, rounds: int) -> list[tuple[float, float, float]]:
    loop = asyncio.get_running_loop()
    settings = WorkerSettings(connect=(Address("127.0.0.1", 1),), modules=(TASKS_FILE,), slots=slots)
    supervisor = Supervisor(
        settings, Credential.parse("a key for a benchmark"), lambda action, **fields: None
    )
    answers = Answers(loop)
    master = supervisor._masters.first
    master.request = answers.request  # type: ignore[method-assign]
    master.notify = answers.notify  # type: ignore[method-assign]
    await supervisor.load()
    [pool] = supervisor.pools
    for _ in range(slots - 1):
        pool.runners.start_one()
    while pool.agent.children.ready_count < slots:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.01)
    pool.agent.connect([], loop.time())
    answers.start(WARM_UP)
    await answers.done
    freeze_started()  # as the program does
    figures = []
    for _ in range(rounds):
        children = [psutil.Process(pid) for pid in pool.runners.pids]
        own, theirs, began = _own_seconds(answers), _busy(children), time.perf_counter()
        answers.start(tasks)
        await answers.done
        figures.append(
            (
                (_own_seconds(answers) - own) / tasks,
                (_busy(children) - theirs) / tasks,
                tasks / (time.perf_counter() - began),
            )
        )
    pool.runners.kill_all()
    return figures


def _own_seconds(answers: Answers) -> float:
    return time.process_time() - answers.own_seconds


def _busy(processes: list[psutil.Process]) -> float:
    return float(sum(sum(one.cpu_times()[:2]) for one in processes))


@click.command()
@click.option("--tasks", default=100_000, show_default=True, type=click.IntRange(1), help="In a round.")
@click.option("--slots", default=2, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
def main(tasks: int, slots: int, rounds: int) -> None:
    """Processor time that a task of a worker takes, in its supervisor and in its children."""
    figures = asyncio.run(_measure(tasks, slots, rounds))
    agent, child, rate = (statistics.median(column) for column in zip(*figures, strict=True))
    click.echo(f"supervisor {agent * 1e6:.2f} µs, child {child * 1e6:.2f} µs a task; {rate:,.0f} tasks/s")


if __name__ == "__main__":
    main()
