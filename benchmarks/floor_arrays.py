"""The bare array floor: what arrays of no-op tasks cost where everything is left out that can be left out.

A client, a master, an agent and two children (``floor_programs.py``) with TLS and with a sync at each commit, which keep tq's
promise and have none of its features. Measured end to end, with every result in the client's hand: tasks a second and
processor time a task in all processes, for arrays of several sizes; and the round trip of an array of one.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgpack
import psutil
from tq.common.auth.certificate import ensure_certificate

from .floor_programs import WRITE_BYTES, Frame, Link, connected, lead, readable, serve
from .readings import Readings, percentile
from .scale import Scale

ARRAY_TASKS: Final = (1_000, 100, 10)
WARM_UP_TASKS: Final = 5_000
START_SECONDS_MAX: Final = 30.0
END_SECONDS_MAX: Final = 10.0


def floor_arrays(scale: Scale) -> Readings:
    """``floor.arrays.SIZE.tasks`` a second and ``….busy_seconds`` a task; ``floor.arrays.trip_p50_seconds``, ``…_p99_…``."""
    numbers: dict[str, float] = {}
    for size in ARRAY_TASKS:
        with _cluster() as link:
            _end_to_end(link, WARM_UP_TASKS, size)
            before, began = _busy(), time.perf_counter()
            _end_to_end(link, scale.noop_tasks, size)
            seconds, after = time.perf_counter() - began, _busy()
        numbers[f"floor.arrays.{size}.tasks"] = scale.noop_tasks / seconds
        numbers[f"floor.arrays.{size}.busy_seconds"] = (after - before) / scale.noop_tasks
    with _cluster() as link:
        _end_to_end(link, WARM_UP_TASKS, 1_000)
        trips = sorted(_trip(link) for _ in range(scale.round_trips))
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        numbers[f"floor.arrays.trip_{name}_seconds"] = percentile(trips, share)
    return Readings(numbers=numbers)


@contextmanager
def _cluster() -> Iterator[Link]:
    """A client's link to a master with an agent and two children; all of them end with it."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="tq-bench-") as name:
        certificate, key = ensure_certificate(Path(name))
        ours, theirs = context.Pipe()
        master = context.Process(target=serve, args=(theirs, certificate, key, Path(name) / "arrays.db"))
        started = [master]
        master.start()
        try:
            port = _said(ours)
            agent = context.Process(target=lead, args=(port,))
            started.append(agent)
            agent.start()
            _said(ours)
            link = connected(port)
            yield link
            link.close()
            for process in started:
                process.join(END_SECONDS_MAX)
        finally:
            for process in started:
                process.kill()  # of what has ended, nothing is left
                process.join()


def _said(master: Any) -> Any:
    if not master.poll(START_SECONDS_MAX):
        raise TimeoutError(f"the floor's master did not start within {START_SECONDS_MAX:.0f} s")
    return master.recv()


def _end_to_end(link: Link, tasks: int, size: int) -> None:
    """Every argument encoded and every result decoded by itself, and nothing forgotten on the way."""
    pack, unpack = msgpack.Packer(autoreset=True).pack, msgpack.unpackb
    results: dict[int, list[Any]] = {}

    def collect() -> int:
        frames = link.frames()
        for frame in frames:
            results[frame.number] = [unpack(result) for result in unpack(frame.body)]
        return sum(frame.tasks for frame in frames)

    left = tasks
    for first in range(0, tasks, size):
        values = range(first, min(first + size, tasks))
        link.add(Frame(first, len(values), pack([pack([[value], {}]) for value in values])))
        if len(link.unsent) >= WRITE_BYTES:
            link.flush()
            left -= collect()
    link.flush()
    while left > 0:
        readable((link,))
        left -= collect()
    if [value for first in sorted(results) for value in results[first]] != list(range(tasks)):
        raise AssertionError("the results are not those of the tasks")


def _trip(link: Link) -> float:
    """Seconds from one submit to its result."""
    began = time.perf_counter()
    _end_to_end(link, 1, 1)
    return time.perf_counter() - began


def _busy() -> float:
    """Processor seconds of this process and of all that it started."""
    own = psutil.Process()
    return float(sum(sum(one.cpu_times()[:2]) for one in [own, *own.children(recursive=True)]))
