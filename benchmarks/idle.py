"""What a master and a worker with two children cost while there is nothing to do.

Measured, over some seconds at rest: processor time and voluntary context switches (wake-ups) of every
thread, from /proc; resident memory of each process, pages they share counted in each of them. Beside it as
many bare interpreters that have imported what every Python program for this job needs.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from .cluster import cluster
from .readings import Readings
from .scale import Scale

SETTLE_SECONDS: Final = 3.0
BARE: Final = "import asyncio, sqlite3, ssl, msgpack; print(flush=True); input()"


def idle(scale: Scale) -> Readings:
    """``idle.cpu_share`` of a core, ``idle.wakeups`` a second, ``idle.*_bytes`` resident."""
    numbers: dict[str, float] = {}
    with cluster() as measured:
        assert measured.worker is not None  # noqa: S101 - it has slots
        time.sleep(SETTLE_SECONDS)
        family = [measured.worker, *measured.worker.children(recursive=True)]
        processes = [measured.master, *family]
        before = (
            [busy_seconds(process) for process in processes],
            [_wakeups(process) for process in processes],
        )
        time.sleep(scale.idle_seconds)
        after = [busy_seconds(process) for process in processes], [_wakeups(process) for process in processes]
        numbers["idle.cpu_share"] = (sum(after[0]) - sum(before[0])) / scale.idle_seconds
        if Path("/proc/self/task").exists():
            numbers["idle.wakeups"] = (sum(after[1]) - sum(before[1])) / scale.idle_seconds
        resident = [process.memory_info().rss for process in processes]
    numbers["idle.master_bytes"], numbers["idle.supervisor_bytes"] = resident[0], resident[1]
    numbers["idle.child_bytes"] = sum(resident[2:]) / len(resident[2:])
    numbers["idle.all_bytes"], numbers["idle.processes"] = sum(resident), len(resident)
    numbers["idle.bare_bytes"] = _bare() * len(resident)
    return Readings(numbers=numbers)


def busy_seconds(process: psutil.Process) -> float:
    """Seconds of a processor: to the nanosecond where the kernel tells, else in its ticks of 10 ms."""
    try:
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text("utf-8").split()[0]) for task in tasks) / 1e9
    except OSError:
        return float(sum(process.cpu_times()[:2]))


def _wakeups(process: psutil.Process) -> int:
    threads = Path(f"/proc/{process.pid}/task")
    statuses = (
        [(task / "status").read_text("utf-8") for task in threads.iterdir()] if threads.exists() else []
    )
    lines = [line for status in statuses for line in status.splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


def _bare() -> float:
    with subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-c", BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as bare:
        assert bare.stdout is not None  # noqa: S101 - a pipe was asked for
        bare.stdout.readline()
        resident = psutil.Process(bare.pid).memory_info().rss
        bare.communicate("\n")
    return float(resident)
