"""What each control costs beside the plain way: processor time of all processes for the same map, with it and without, in turns.

Nine pairs of each; who begins changes. A share is what a task takes more; beside its median stand the second smallest and the second largest
of the nine, between which the true median is with a probability of 96 %.

*Unused* is a plain map in a cluster in which others use the controls: tasks wait under a limit, for tenants, for a resource that no worker
has, and until tomorrow with a unique key. It stands beside the same map in a cluster that has none of that. *Strikes* is likewise a plain
map, where some of other tasks are in force.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any, Final, NamedTuple

import tq

from .cluster import Measured, cluster
from .readings import Readings
from .scale import Scale

SLOTS: Final = 2
KEYS: Final = 10
HELD_TASKS: Final = 1_000
THREADS: Final = 8
SUBMITS_SHARE: Final = 50  # times fewer single submits than tasks of a map, for each waits for the disk
DONE_SECONDS_MAX: Final = 120.0
RESOURCE: Final = "share"
RESOURCES: Final = ("--label", "zone=eu", "--resource", f"{RESOURCE}=1000000")
UNHELD: Final = 1_000_000  # more than ever run or wait: what is measured is the counting
ADMIN: Final = "admin"
LIFO, BOUNDED = "tq-bench-lifo", "tq-bench-bounded"
STRIKES: Final = 3  # in force, of which none is of the measured tasks
USED: Final[Mapping[str, Mapping[str, Any]]] = {
    "limit": {"limits": [tq.Limit("bench-limit", max_running=UNHELD)]},
    "rate": {"limits": [tq.Limit("bench-rate", rate=f"{UNHELD}/s", burst=UNHELD)]},
    "keys": {"limits": [tq.Limit("bench-keys", max_running=UNHELD, by="{value}")]},
    "rate_keys": {"limits": [tq.Limit("bench-rates", rate=f"{UNHELD}/s", burst=UNHELD, by="{value}")]},
    "tenant": {"tenant": "acme"},
    "tenants": {"tenant": "{value}"},
    "tags": {"tags": {"order": "4711"}},
    "needs": {"needs": {RESOURCE: 1}},
    "where": {"where": "zone=eu"},
    "expires": {"expires": 3_600.0},
    "deadline": {"deadline": 3_600.0},
    "lifo": {"queue": LIFO},
    "maxsize": {"queue": BOUNDED},
    "on_failure": {"on_failure": tq.App().named("elsewhere:handler")},
    "coalesce": {"coalesce": tq.Coalesce(100, seconds=0.05)},
}
SINGLE: Final[Mapping[str, Mapping[str, Any]]] = {
    "unique": {"unique": tq.Unique(by="{value}")},
    "cache": {"cache": 3_600.0, "cache_by": "{value}"},
}


class Share(NamedTuple):
    """What a task takes more, as a share of what it takes without. ``plain``: seconds of processor time without."""

    median: float
    low: float
    high: float
    plain: float


def controls(scale: Scale) -> Readings:
    """``controls.NAME.share``, ``.low``, ``.high`` and ``.plain_seconds``; ``unused`` and each that is used."""
    numbers: dict[str, float] = {}
    with ExitStack() as open_until_end:
        quiet = open_until_end.enter_context(cluster(slots=SLOTS, worker_options=RESOURCES))
        shared = open_until_end.enter_context(cluster(slots=SLOTS, worker_options=RESOURCES))
        struck = open_until_end.enter_context(cluster(slots=SLOTS, worker_options=RESOURCES))
        _use_all(shared)
        _set_queues(quiet)
        _strike_others(struck)
        plain, beside = (
            _mapping(quiet, scale.controlled_tasks, {}),
            _mapping(shared, scale.controlled_tasks, {}),
        )
        numbers |= _numbers("unused", pairs(plain, beside, scale.controlled_pairs))
        numbers |= _numbers(
            "strikes", pairs(plain, _mapping(struck, scale.controlled_tasks, {}), scale.controlled_pairs)
        )
        for name, options in USED.items():
            numbers |= _numbers(
                name, pairs(plain, _mapping(quiet, scale.controlled_tasks, options), scale.controlled_pairs)
            )
        submits = max(THREADS, scale.controlled_tasks // SUBMITS_SHARE)
        for name, options in SINGLE.items():
            single = _submitting(quiet, submits, {}), _submitting(quiet, submits, options)
            numbers |= _numbers(name, pairs(*single, scale.controlled_pairs))
    return Readings(numbers=numbers)


def pairs(plain: Callable[[], float], controlled: Callable[[], float], number: int) -> Share:
    """Both return seconds of processor time a task."""
    plain()
    controlled()  # what comes first finds a cold machine
    shares, without = [], []
    for index in range(number):
        if index % 2:
            more, base = controlled(), plain()
        else:
            base, more = plain(), controlled()
        shares.append(more / base - 1)
        without.append(base)
    return share_of(shares, without)


def share_of(shares: list[float], without: list[float]) -> Share:
    ordered = sorted(shares)
    return Share(statistics.median(ordered), ordered[:2][-1], ordered[-2:][0], statistics.median(without))


def _numbers(name: str, share: Share) -> dict[str, float]:
    return {
        f"controls.{name}.share": share.median,
        f"controls.{name}.low": share.low,
        f"controls.{name}.high": share.high,
        f"controls.{name}.plain_seconds": share.plain,
    }


def _task(measured: Measured, options: Mapping[str, Any]) -> Any:
    """The worker's ``nothing``, with its parameter, so that keys can be made of it; or that which gets many calls at once."""

    def nothing(value: Any) -> Any:
        return value

    if "coalesce" in options:  # of a function that gets a list
        return measured.app.task(name="bench_tasks:nothing_of_many", **options)(nothing)
    return measured.app.task(name="bench_tasks:nothing")(nothing).using(**options)


def _mapping(measured: Measured, tasks: int, options: Mapping[str, Any]) -> Callable[[], float]:
    task, arguments = _task(measured, options), [number % KEYS for number in range(tasks)]

    def run() -> float:
        before = busy_seconds(measured)
        ended = sum(1 for _ in task.map(arguments).results(DONE_SECONDS_MAX))
        if ended != tasks:
            raise AssertionError(f"{ended} results of {tasks}")
        return (busy_seconds(measured) - before) / tasks

    return run


def _submitting(measured: Measured, tasks: int, options: Mapping[str, Any]) -> Callable[[], float]:
    task = _task(measured, options)
    values = iter(range(1_000_000_000))  # each has a key of its own

    def submit_some(count: int) -> None:
        for handle in [task.submit(next(values)) for _ in range(count)]:
            handle.result(DONE_SECONDS_MAX)

    def run() -> float:
        before = busy_seconds(measured)
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(submit_some, [tasks // THREADS] * THREADS))
        return (busy_seconds(measured) - before) / (tasks // THREADS * THREADS)

    return run


def _set_queues(measured: Measured) -> None:
    """Those of which the order or the bound is measured."""
    with measured.client(ADMIN) as admin:
        admin.set_queue(LIFO, order="lifo")
        admin.set_queue(BOUNDED, maxsize=UNHELD)


def _strike_others(measured: Measured) -> None:
    with measured.client(ADMIN) as admin:
        for number in range(STRIKES):
            admin.call(("get_strikes",), "add", f"task=elsewhere:struck{number}", "", None)


def _use_all(measured: Measured) -> None:
    """Have tasks wait for each control."""
    held = partial(_held, measured)
    held("tq-bench-held", limits=[tq.Limit("bench-held", rate="1/d", burst=1)])
    held("tq-bench-tenants", tenant="acme")
    held("tq-bench-placed", needs={"gpu": 1})
    for number in range(KEYS):
        unique = tq.Unique(by="{value}")
        _task(measured, {"unique": unique, "delay": 86_400.0, "queue": "tq-bench-unique"}).submit(number)


def _held(measured: Measured, queue: str, **options: Any) -> None:
    name = "bench_tasks:nothing" if "limits" in options else "elsewhere:served"
    measured.app.named(name).using(queue=queue, **options).map(range(HELD_TASKS))


def busy_seconds(measured: Measured) -> float:
    """Processor time so far of this process and of all of the cluster's, to the nanosecond."""
    assert measured.worker is not None  # noqa: S101 - it has slots
    others = [measured.master, measured.worker, *measured.worker.children(recursive=True)]
    return time.process_time() + sum(time.clock_gettime(clock_of(one.pid)) for one in others)


def clock_of(pid: int) -> int:
    """The clock of a process's processor time, as ``clock_getcpuclockid`` makes it on Linux."""
    return ~pid << 3 | 2
