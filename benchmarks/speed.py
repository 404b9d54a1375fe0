"""How fast tasks go through: many no-op tasks, one at a time, and short ones that fill two slots.

Every measurement has a cluster of its own: one master, one worker with two children, TLS and fsync on.
"""

from __future__ import annotations

import time
from typing import Final

import psutil

from .cluster import Measured, cluster
from .readings import Readings, percentile
from .scale import Scale

SLOTS: Final = 2
SHORT_SECONDS: Final = 0.01
DURABILITIES: Final = ("fsync", "os", "memory")
WARM_UP_TASKS: Final = 2_000
DONE_SECONDS_MAX: Final = 120.0  # what takes longer has gone wrong, and fails


def noop(scale: Scale) -> Readings:
    """``noop.tasks`` a second until the last result is here; ``noop.enqueue`` until the last is stored,
    with the worker busy on the first meanwhile; ``noop.*_share``, the cores each kind of process kept busy;
    ``noop.busy_seconds``, the processor time of all of them, a task."""
    with cluster(slots=SLOTS) as measured:
        end_to_end(measured, WARM_UP_TASKS)
        before, began = busy(measured), time.perf_counter()
        rate, stored = end_to_end(measured, scale.noop_tasks)
        seconds, after = time.perf_counter() - began, busy(measured)
    spent = {who: after[who] - before[who] for who in before}
    shares = {f"noop.{who}_share": spent[who] / seconds for who in spent}
    each = sum(spent.values()) / scale.noop_tasks
    return Readings(numbers={"noop.tasks": rate, "noop.enqueue": stored, "noop.busy_seconds": each, **shares})


def async_noop(scale: Scale) -> Readings:
    """``async.KIND.tasks`` a second and ``async.KIND.busy_seconds`` a task: no-op functions in a pool of processes and no-op coroutines in
    an async pool of the same worker, in turns."""
    numbers: dict[str, float] = {}
    tasks = scale.noop_tasks // 2
    with cluster(slots=0) as measured:
        measured.start_pools(f"process:{SLOTS}", "async:500")
        for kind, name in (("process", "nothing"), ("async", "nothing_later")):
            end_to_end(measured, WARM_UP_TASKS, name)
            before = sum(busy(measured).values())
            numbers[f"async.{kind}.tasks"], _ = end_to_end(measured, tasks, name)
            numbers[f"async.{kind}.busy_seconds"] = (sum(busy(measured).values()) - before) / tasks
    return Readings(numbers=numbers)


def enqueue(scale: Scale) -> Readings:
    """``enqueue.tasks`` a second by ``map`` from one client, with no worker there."""
    with cluster(slots=0) as measured:
        submitter = measured.app.named("bench_tasks:nothing")
        submitter.map(range(WARM_UP_TASKS))
        began = time.perf_counter()
        submitter.map(range(scale.noop_tasks))
        return Readings(numbers={"enqueue.tasks": scale.noop_tasks / (time.perf_counter() - began)})


def trips(scale: Scale) -> Readings:
    """``trip.*_seconds``: from submit to result of one task at a time, by durability."""
    numbers = {}
    for durability in DURABILITIES:
        with cluster(slots=SLOTS, durability=durability) as measured:
            times = round_trips(measured, scale.round_trips)
        numbers[f"trip.{durability}.p50_seconds"] = percentile(times, 0.5)
        numbers[f"trip.{durability}.p99_seconds"] = percentile(times, 0.99)
    return Readings(numbers=numbers)


def short(scale: Scale) -> Readings:
    """``short.share`` of the ideal that two slots reach with tasks of 10 ms, and ``short.sleep_share``, what
    one bare loop of such sleeps reaches: no program can do better."""
    with cluster(slots=SLOTS) as measured:
        keeps_slots_busy(measured, 20, SHORT_SECONDS, SLOTS)
        share = keeps_slots_busy(measured, scale.short_tasks, SHORT_SECONDS, SLOTS)
    sleeps = scale.short_tasks // SLOTS
    began = time.perf_counter()
    for _ in range(sleeps):
        time.sleep(SHORT_SECONDS)
    alone = sleeps * SHORT_SECONDS / (time.perf_counter() - began)
    return Readings(numbers={"short.share": share, "short.sleep_share": alone})


def busy(measured: Measured) -> dict[str, float]:
    """Processor seconds so far, by kind of process."""
    assert measured.worker is not None  # noqa: S101 - it has slots
    # A master of several processes is their guard and its children.
    masters = [measured.master, *measured.master.children(recursive=True)]
    processes = {"client": [psutil.Process()], "master": masters, "worker": [measured.worker]}
    processes["children"] = measured.worker.children(recursive=True)
    return {who: sum(sum(one.cpu_times()[:2]) for one in ones) for who, ones in processes.items()}


def end_to_end(measured: Measured, tasks: int, name: str = "nothing") -> tuple[float, float]:
    """Tasks per second until the last result is here, and until the last task is stored."""
    submitter = measured.app.named(f"bench_tasks:{name}")
    began = time.perf_counter()
    handles = submitter.map(range(tasks))
    stored = time.perf_counter()
    total = sum(1 for _ in handles.results(DONE_SECONDS_MAX))
    ended = time.perf_counter()
    if total != tasks:
        raise AssertionError(f"{total} results of {tasks}")
    return tasks / (ended - began), tasks / (stored - began)


def round_trips(measured: Measured, count: int) -> list[float]:
    """Seconds from submit to result, one task at a time, in order of size."""
    submitter = measured.app.named("bench_tasks:nothing")
    times = []
    for number in range(count):
        began = time.perf_counter()
        submitter.submit(number).result(DONE_SECONDS_MAX)
        times.append(time.perf_counter() - began)
    return sorted(times)


def keeps_slots_busy(measured: Measured, tasks: int, seconds: float, slots: int) -> float:
    """How much of the ideal the slots reach with tasks of this length."""
    began = time.perf_counter()
    if not measured.app.named("bench_tasks:sleep").map([seconds] * tasks).wait(DONE_SECONDS_MAX):
        raise TimeoutError(f"{tasks} tasks were not done after {DONE_SECONDS_MAX:.0f} s")
    return tasks * seconds / slots / (time.perf_counter() - began)
