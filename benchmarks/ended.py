"""Tasks that have ended, by how they ended: what each costs the master's memory, its file and its start, and at what rate they went.

A map ends in slices of 1,000, of 10 or of 1 as a worker reports them: a simulated one, which takes what it has leased in an
order of chance, so that no slice is its neighbour's. Of other maps a tenth, or all, fail once and are retried by a real worker.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path
from typing import Any, Final

from tq.common.auth.keys import Credential
from tq.common.contract.workers import pack_seconds
from tq.common.domain.ids import id_behind
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.version import VERSION
from tq.common.wire.address import Address
from tq.common.wire.connection import CallerConnection

from .cluster import Measured, cluster
from .readings import Readings
from .scale import Scale

DISPATCHER: Final = ["get_dispatcher"]
LEASED: Final = 1_000
SLICES: Final = (1_000, 10, 1)
FAILING: Final = {"10": 10, "100": 1}  # per cent: every how many-th task fails once
BACKOFF_SECONDS: Final = 0.05
RESULT: Final = b"\xc0"  # nil
SETTLE_SECONDS: Final = 0.5
DONE_SECONDS_MAX: Final = 120.0


def ended(scale: Scale) -> Readings:
    """``ended.KIND.tasks`` a second; ``.memory_bytes`` and ``.file_bytes`` a task; ``.start_seconds`` of a killed master."""
    numbers: dict[str, float] = {}
    for size in SLICES:
        with cluster(slots=0) as measured:
            measured.app.named("bench_tasks:nothing").map(range(LEASED))
            asyncio.run(_work(measured, LEASED, LEASED))
            before = _memory(measured), _file_bytes(measured)
            began = time.perf_counter()
            measured.app.named("bench_tasks:nothing").map(range(scale.ended_tasks))
            asyncio.run(_work(measured, scale.ended_tasks, size))
            numbers |= _cost(f"ended.{size}", measured, before, began, scale.ended_tasks)
    for name, every in FAILING.items():
        with cluster() as measured:
            fails = measured.app.named("bench_tasks:fails_once").using(
                retries=1, backoff=BACKOFF_SECONDS, backoff_max=BACKOFF_SECONDS
            )
            fails.map([number % every == 0 for number in range(100)]).wait(DONE_SECONDS_MAX)
            before = _memory(measured), _file_bytes(measured)
            began = time.perf_counter()
            handles = fails.map(number % every == 0 for number in range(scale.ended_tasks))
            if sum(1 for _ in handles.results(DONE_SECONDS_MAX)) != scale.ended_tasks:
                raise AssertionError("not every task was retried to its end")
            numbers |= _cost(f"ended.failing{name}", measured, before, began, scale.ended_tasks)
    return Readings(numbers=numbers)


def _cost(
    name: str, measured: Measured, before: tuple[float, float], began: float, tasks: int
) -> dict[str, float]:
    seconds = time.perf_counter() - began
    memory = _memory(measured) - before[0]
    start = measured.restart_master()  # which also moves the log into the file
    time.sleep(SETTLE_SECONDS)
    return {
        f"{name}.tasks": tasks / seconds,
        f"{name}.memory_bytes": max(0.0, memory) / tasks,
        f"{name}.file_bytes": (_file_bytes(measured) - before[1]) / tasks,
        f"{name}.start_seconds": start,
    }


async def _work(measured: Measured, tasks: int, size: int) -> None:
    """Lease so many and report them, in slices of this size."""
    credential = Credential.parse(measured.key("worker").read_text("utf-8").strip())
    connection = await CallerConnection.open(
        Address("127.0.0.1", measured.port), credential, role=Role.WORKER, node=os.urandom(16), timeout=30
    )
    info = {
        "host": "simulated",
        "pid": os.getpid(),
        "slots": LEASED,
        "labels": {},
        "tasks": ["bench_tasks:nothing"],
    }
    await connection.call(DISPATCHER, "announce", {**info, "queues": None, "version": VERSION}, [])
    left, chance = tasks, random.Random(1)  # noqa: S311 - the same order each time
    while left:
        lease, groups = await connection.call(DISPATCHER, "lease", min(left, LEASED))
        reports: list[tuple[bytes, int, int]] = []
        for _, _, _, entries in groups:
            for first, attempt, payloads, *_ in entries:
                count = len(payloads) if isinstance(payloads, list) else 1
                reports += [
                    (id_behind(first, at), attempt, min(size, count - at)) for at in range(0, count, size)
                ]
        chance.shuffle(reports)
        left -= sum(count for _, _, count in reports)
        stale = await connection.call(DISPATCHER, "finish", *_finish(lease, reports))
        if stale:
            raise AssertionError("the master calls a report stale")
    connection.close()


def _finish(lease: bytes, reports: list[tuple[bytes, int, int]]) -> list[Any]:
    """The arguments of ``finish``: tasks alone as rows, the others as slices."""
    now, success = time.time(), int(OutcomeNumber.SUCCESS)
    rows = [
        [first, attempt, lease, success, RESULT, now, 0.0, None]
        for first, attempt, count in reports
        if count == 1
    ]
    slices = [
        [first, attempt, lease, [RESULT] * count, pack_seconds([0.0] * count)]
        for first, attempt, count in reports
        if count > 1
    ]
    return [rows, None, slices]


def _memory(measured: Measured) -> float:
    return float(measured.master.memory_info().rss)


def _file_bytes(measured: Measured) -> float:
    return float(sum(one.stat().st_size for one in Path(measured.state).glob("*.db*")))
