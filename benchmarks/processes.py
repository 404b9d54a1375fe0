"""What shards and processes of one master cost, beside one shard in the same run: no-op tasks of two queues, one in each of two shards.

Client, worker, children and the processes of the master share the cores of one machine. With two cores the rate says little of what
processes gain; the masters' processor time a task says what they spend, and shards in processes of their own spend it side by side.
"""

from __future__ import annotations

import time
from typing import Final

from tq.common.domain.shards import shard_of_name

from .cluster import Measured, cluster
from .readings import Readings
from .scale import Scale
from .speed import DONE_SECONDS_MAX, SLOTS, WARM_UP_TASKS, busy

SHARDS: Final = 2
KINDS: Final = {
    "one": [],
    "shards": [f"--shards={SHARDS}"],
    "processes": [f"--shards={SHARDS}", f"--processes={SHARDS}"],
}
QUEUES: Final = [
    next(name for n in range(100) if shard_of_name(name := f"queue-{n}", SHARDS) == shard)
    for shard in range(SHARDS)
]


def processes(scale: Scale) -> Readings:
    """``processes.KIND.tasks`` a second until the last result is here, and ``processes.KIND.master_seconds`` of the processors of all
    processes of the master, a task."""
    numbers: dict[str, float] = {}
    for kind, options in KINDS.items():
        with cluster(slots=SLOTS, master_options=options) as measured:
            both_queues(measured, WARM_UP_TASKS)
            before = busy(measured)["master"]
            numbers[f"processes.{kind}.tasks"] = both_queues(measured, scale.noop_tasks)
            spent = busy(measured)["master"] - before
            numbers[f"processes.{kind}.master_seconds"] = spent / scale.noop_tasks
    return Readings(numbers=numbers)


def both_queues(measured: Measured, tasks: int) -> float:
    """Tasks a second until the last result is here, half of them in each queue."""
    submitter = measured.app.named("bench_tasks:nothing")
    began = time.perf_counter()
    maps = [submitter.using(queue=queue).map(range(tasks // SHARDS)) for queue in QUEUES]
    total = sum(1 for handles in maps for _ in handles.results(DONE_SECONDS_MAX))
    if total != tasks:
        raise AssertionError(f"{total} results of {tasks}")
    return tasks / (time.perf_counter() - began)
