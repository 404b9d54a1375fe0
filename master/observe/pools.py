"""The pools of a worker as they are shown: which there are, what each serves, and how many of its slots are busy. Reads only.

A worker says in its heartbeats what its pools are called and how large they are now, and has announced what each serves. A task that it
has is in the first pool that serves its route: pools of one worker share none.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..tasks.routes import Routes
from ..workers.membership import Worker
from ..workers.worker_info import WorkerInfo


def pool_rows(routes: Routes, worker: Worker, info: WorkerInfo, held: Counter[int]) -> list[dict[str, Any]]:
    """None of a worker that has not said what they are. ``held``: how many tasks it has, by their lanes. ``queues``: patterns; None: all."""
    said, several = worker.said_pools, info.pools
    if several and len(said) != len(several):  # it has not said so yet, since it was announced
        return []
    busy = Counter[int]()
    for lane, tasks in held.items():
        route = routes.by_number[lane].plain
        busy[next((place for place, pool in enumerate(worker.leasing) if route in pool.routes), 0)] += tasks
    rows = []
    for place, one in enumerate(said):
        queues = (several[place][2] if several else info.queues) or None
        rows.append(
            {"pool": one.pool, "queues": queues, "slots": one.slots, "busy": min(busy[place], one.slots)}
        )
    return rows
