"""What it costs that a task needs one of another shard, beside one of its own shard in the same run: a chain, and a join of many.

The chain goes from queue to queue, so each link is an edge; of the join each member is one. Client, worker, children and masters share the cores of one
machine: the masters' processor time says what an edge costs, the time of a link what a program waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from .cluster import Measured, cluster
from .processes import QUEUES, SHARDS
from .readings import Readings
from .scale import Scale
from .speed import DONE_SECONDS_MAX, SLOTS, WARM_UP_TASKS, busy

KINDS: Final = {
    "within": ([f"--shards={SHARDS}"], QUEUES[:1] * SHARDS),
    "shards": ([f"--shards={SHARDS}"], QUEUES),
    "processes": ([f"--shards={SHARDS}", f"--processes={SHARDS}"], QUEUES),
}


def edges(scale: Scale) -> Readings:
    """``edges.KIND.link_seconds`` of a chain, ``edges.KIND.join.tasks`` a second; ``edges.KIND.chain_seconds`` and ``….join_seconds`` of the
    masters' processors, a task."""
    numbers: dict[str, float] = {}
    for kind, (options, queues) in KINDS.items():
        with cluster(slots=SLOTS, master_options=options) as measured:
            join(measured, queues, WARM_UP_TASKS)
            chain(measured, queues, SHARDS)
            for name, run, tasks in (
                ("chain", chain, scale.chained_tasks),
                ("join", join, scale.joined_tasks),
            ):
                seconds, spent = _both(measured, run, queues, tasks)
                numbers[f"edges.{kind}.{name}_seconds"] = spent / tasks
                if name == "chain":
                    numbers[f"edges.{kind}.link_seconds"] = seconds / tasks
                else:
                    numbers[f"edges.{kind}.join.tasks"] = tasks / seconds
    return Readings(numbers=numbers)


def _both(
    measured: Measured, run: Callable[[Measured, list[str], int], None], queues: list[str], tasks: int
) -> tuple[float, float]:
    """Seconds that pass, and of the masters' processors."""
    before, began = busy(measured)["master"], time.perf_counter()
    run(measured, queues, tasks)
    return time.perf_counter() - began, busy(measured)["master"] - before


def chain(measured: Measured, queues: list[str], links: int) -> None:
    """From one queue to the next."""
    nothing = measured.app.named("bench_tasks:nothing")
    last = nothing.using(queue=queues[0]).submit(0)
    for number in range(1, links):
        last = nothing.using(queue=queues[number % len(queues)]).submit(last)
    last.result(DONE_SECONDS_MAX)


def join(measured: Measured, queues: list[str], tasks: int) -> None:
    """Of the first queue; the task that needs them all is of the last one."""
    nothing, total = measured.app.named("bench_tasks:nothing"), measured.app.named("bench_tasks:total")
    members = nothing.using(queue=queues[0]).map(range(tasks))
    joined = total.using(queue=queues[-1]).submit(members).result(DONE_SECONDS_MAX)
    if joined != tasks:
        raise AssertionError(f"{joined} results of {tasks}")
