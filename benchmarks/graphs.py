"""Tasks that need others: many and a join, a chain, a tree of pairs, and the master's memory meanwhile; the same join by peers.

Beside them no-op tasks and single round trips of the same cluster: what the tasks would take if none needed another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import psutil
from tq.client.app import App

from .cluster import cluster
from .peers import PEERS, Peer, measure_peer
from .readings import Readings, percentile
from .scale import Scale
from .speed import DONE_SECONDS_MAX, SLOTS, WARM_UP_TASKS, end_to_end, round_trips

TRIPS: Final = 300
LOOK_SECONDS: Final = 0.02  # between two looks at the memory
CELERY: Final = next(peer for peer in PEERS if peer.name == "celery")
CHORD: Final = Peer(
    name="celery",
    packages=CELERY.packages,
    workers=CELERY.workers,
    settings="as above; one chord",
    program="celery_chord_peer",
)
DASK: Final = Peer(
    name="distributed",
    packages=("distributed",),
    server=lambda *, durable: nullcontext(""),
    workers=(),
    settings="2 processes of a thread, the scheduler in the client's; map and submit, nothing kept",
)


def graphs(scale: Scale) -> Readings:
    """``graphs.plain.tasks`` and ``graphs.join.tasks`` a second, ``graphs.trip_seconds`` and ``graphs.chain.link_seconds``,
    ``graphs.pairs.tasks`` a second, ``graphs.memory_bytes`` by which the master grew, ``graphs.celery.KIND.tasks`` and ``graphs.dask.tasks``."""
    numbers: dict[str, float] = {}
    with cluster(slots=SLOTS) as measured:
        end_to_end(measured, WARM_UP_TASKS)
        numbers["graphs.plain.tasks"], _ = end_to_end(measured, scale.joined_tasks)
        numbers["graphs.trip_seconds"] = percentile(round_trips(measured, TRIPS), 0.5)
        _join(measured.app, WARM_UP_TASKS)
        with _growth(measured.master) as grown:
            numbers["graphs.join.tasks"] = _join(measured.app, scale.joined_tasks)
            numbers["graphs.chain.link_seconds"] = _chain(measured.app, scale.chained_tasks)
            numbers["graphs.pairs.tasks"] = _pairs(measured.app, scale.paired_tasks)
        numbers["graphs.memory_bytes"] = float(max(grown))
    readings = Readings(numbers=numbers)
    for kind in ("durable", "memory"):
        _as_rate(readings, CHORD, f"graphs.celery.{kind}.tasks", kind, scale)
    _as_rate(readings, DASK, "graphs.dask.tasks", "memory", scale)
    return readings


def _as_rate(readings: Readings, peer: Peer, name: str, kind: str, scale: Scale) -> None:
    measure_peer(peer, name, kind, scale.joined_peer_tasks, readings)


def _join(app: App, tasks: int) -> float:
    """Members a second, until the result of the task that needs them all is here."""
    nothing, total = app.named("bench_tasks:nothing"), app.named("bench_tasks:total")
    began = time.perf_counter()
    joined = total.submit(nothing.map(range(tasks))).result(DONE_SECONDS_MAX)
    seconds = time.perf_counter() - began
    if joined != tasks:
        raise AssertionError(f"{joined} results of {tasks}")
    return tasks / seconds


def _chain(app: App, links: int) -> float:
    """Seconds a link of tasks that need one another, from the first submit to the last result."""
    nothing = app.named("bench_tasks:nothing")
    began = time.perf_counter()
    last = nothing.submit(0)
    for _ in range(links - 1):
        last = nothing.submit(last)
    last.result(DONE_SECONDS_MAX)
    return (time.perf_counter() - began) / links


def _pairs(app: App, leaves: int) -> float:
    """Tasks a second of a tree in which each needs two."""
    nothing, add = app.named("bench_tasks:nothing"), app.named("bench_tasks:add")
    began = time.perf_counter()
    level: list[Any] = list(nothing.map([1] * leaves))
    tasks = len(level)
    while len(level) > 1:
        level = list(add.starmap(zip(level[::2], level[1::2], strict=True)))
        tasks += len(level)
    if level[0].result(DONE_SECONDS_MAX) != leaves:
        raise AssertionError("the tree has another sum")
    return tasks / (time.perf_counter() - began)


@contextmanager
def _growth(process: psutil.Process) -> Iterator[list[int]]:
    """By how many bytes its resident memory is larger than at the beginning, again and again."""
    before, grown, ended = process.memory_info().rss, [0], threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            grown.append(process.memory_info().rss - before)

    looking = threading.Thread(target=look, name="memory")
    looking.start()
    try:
        yield grown
    finally:
        ended.set()
        looking.join()
