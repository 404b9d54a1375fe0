"""Round trips while old results are deleted, and how much of a core that takes.

A map ends, its time to be kept passes, and the master deletes it in portions. Round trips are made before and meanwhile; what they
take of the master is known from before, and the rest is the deletion's.
"""

from __future__ import annotations

import time
from typing import Final

from tq.client.app import App

from .cluster import Measured, await_true, cluster
from .readings import Readings, percentile
from .scale import Scale
from .speed import SLOTS, end_to_end, round_trips

KEPT_SECONDS: Final = 8.0
BEFORE_SECONDS_MAX: Final = 3.0
PURGE_SECONDS_MAX: Final = 60.0
TRIPS_MAX: Final = 500
TRIPS_AT_ONCE: Final = 5  # between two looks at what is left
TRIPS_WARM_UP: Final = 20


def purge(scale: Scale) -> Readings:
    """``purge.before_seconds``, ``purge.during_seconds``: p50 of a round trip; ``purge.share`` of a core; ``purge.tasks`` a
    second that were deleted."""
    options = [f"--result-ttl-seconds={KEPT_SECONDS:g}"]
    with cluster(slots=SLOTS, master_options=options) as measured, measured.client("admin") as admin:
        end_to_end(measured, scale.purged_tasks)
        round_trips(measured, TRIPS_WARM_UP)
        used, began, before = _used(measured), time.perf_counter(), list[float]()
        while len(before) < TRIPS_MAX and time.perf_counter() - began < BEFORE_SECONDS_MAX:
            before += round_trips(measured, TRIPS_AT_ONCE)
            kept = _kept(admin)
        each = (_used(measured) - used) / len(before)
        if kept < scale.purged_tasks:
            raise AssertionError("results were deleted before round trips alone were measured")
        await_true(lambda: _kept(admin) < scale.purged_tasks, PURGE_SECONDS_MAX)
        began, used, first, during = time.perf_counter(), _used(measured), _kept(admin), list[float]()
        while (kept := _kept(admin)) > scale.purged_tasks // 10:
            during += round_trips(measured, TRIPS_AT_ONCE)
        if not during:
            raise AssertionError("the results were deleted before a round trip was made")
        seconds = time.perf_counter() - began
        share = (_used(measured) - used - each * len(during)) / seconds
    numbers = {
        "purge.before_seconds": percentile(sorted(before), 0.5),
        "purge.during_seconds": percentile(sorted(during), 0.5),
        "purge.share": max(0.0, share),
        "purge.tasks": (first - kept) / seconds,
    }
    return Readings(numbers=numbers)


def _kept(admin: App) -> int:
    """Results that are kept."""
    return sum(int(queue["succeeded"]) for queue in admin.call(["get_queues"], "list"))


def _used(measured: Measured) -> float:
    return float(sum(measured.master.cpu_times()[:2]))
