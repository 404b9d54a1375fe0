"""A long queue against a short one: does anything grow with what waits? And a restart with a long one.

Measured, for each length: enqueueing by ``map`` while the queue is paused, draining it by a worker that is
connected already and with no program collecting, what the master's memory grew by, and (between the two) the
seconds from the start of a killed master until it accepts connections.
"""

from __future__ import annotations

import time
from typing import Final

from tq.client.app import App

from .cluster import Measured, await_true, cluster
from .readings import Readings
from .scale import Scale

PAUSE: Final = ["get_task_queue", "default"]
DRAIN_SECONDS_MAX: Final = 600.0


def backlog(scale: Scale) -> Readings:
    """``backlog.large.*`` and ``backlog.small.*``: ``enqueue`` and ``drain`` a second, ``memory_bytes``;
    ``restart.large_seconds`` and ``restart.empty_seconds``."""
    numbers = {}
    with cluster() as measured, measured.client("admin") as admin:
        before = _resident(measured)
        rates = [
            _fill_and_drain(measured, admin, scale.backlog_small) for _ in range(scale.backlog_small_times)
        ]
        numbers["backlog.small.enqueue"] = len(rates) / sum(1 / enqueued for enqueued, _, _ in rates)
        numbers["backlog.small.drain"] = len(rates) / sum(1 / drained for _, drained, _ in rates)
        numbers["backlog.small.memory_bytes"] = rates[0][2] - before
    with cluster() as measured, measured.client("admin") as admin:
        before = _resident(measured)
        numbers["restart.empty_seconds"] = measured.restart_master()
        _await_worker(measured)
        before = _resident(measured)
        enqueued = _fill(measured, admin, scale.backlog_large)
        numbers["backlog.large.memory_bytes"] = _resident(measured) - before
        numbers["restart.large_seconds"] = measured.restart_master()
        _await_worker(measured, idle=True)
        numbers["backlog.large.drain"] = _drain(admin, scale.backlog_large)
        numbers["backlog.large.enqueue"] = enqueued
    return Readings(numbers=numbers)


def _fill_and_drain(measured: Measured, admin: App, tasks: int) -> tuple[float, float, float]:
    enqueued = _fill(measured, admin, tasks)
    resident = _resident(measured)
    return enqueued, _drain(admin, tasks), resident


def _fill(measured: Measured, admin: App, tasks: int) -> float:
    """Tasks a second; their outcomes are not read."""
    admin.call(PAUSE, "pause", "measuring")
    began = time.perf_counter()
    measured.app.named("bench_tasks:nothing").map(range(tasks))
    return tasks / (time.perf_counter() - began)


def _drain(admin: App, tasks: int) -> float:
    """Tasks a second, from resuming until none is left."""
    began = time.perf_counter()
    admin.call(PAUSE, "resume")
    await_true(lambda: not _left(admin), DRAIN_SECONDS_MAX)
    return tasks / (time.perf_counter() - began)


def _left(admin: App) -> int:
    [queue] = [queue for queue in admin.call(["get_queues"], "list") if queue["name"] == "default"]
    return int(queue["ready"]) + int(queue["running"])


def _await_worker(measured: Measured, *, idle: bool = False) -> None:
    """The worker has come back after a restart; with an idle one there is nothing it could be asked to do."""
    with measured.client("admin") as app:
        await_true(lambda: any(worker["connected"] for worker in app.call(["get_workers"], "list")))
        if not idle:
            app.named("bench_tasks:nothing").map([None, None]).wait(DRAIN_SECONDS_MAX)


def _resident(measured: Measured) -> float:
    return float(measured.master.memory_info().rss)
