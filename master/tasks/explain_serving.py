"""Which workers serve a lane, by which of their pools, and how many slots these have. Reads only.

A worker with several pools serves a lane by some of them: slots of its other pools are for other tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...common.domain.naming import switch_of
from ..engine.engine import Engine
from ..store.interface.queries import FullTask
from ..workers.membership import Membership, Worker
from .explain_placing import placing_of, suiting
from .route import Capability, Route

PROCESSES = "process:"  # how the name of a pool begins in which each task has a process for itself


def serves(worker: Worker, lane: Route) -> bool:
    """Whether it is connected, and would be given the tasks of this lane if it had room and did not drain."""
    return worker.session is not None and any(one in lane.capabilities for one in worker.leasing)


def serving(engine: Engine, lane: Route) -> list[Worker]:
    """The connected workers that would be given its tasks, if they had room."""
    workers = engine.part(Membership).by_node.values()
    engine.work.glanced(len(workers))
    working = [one for one in workers if serves(one, lane) and not one.draining and one.info is not None]
    placing = placing_of(engine, lane)
    return working if placing is None else suiting(engine, placing, working)


def pools_serving(engine: Engine, lane: Route) -> set[Capability]:
    """The pools of all workers that serve it. What serves it besides is what a worker with several pools has announced as a whole: it
    leases nothing by that."""
    workers = engine.part(Membership).by_node.values()
    engine.work.glanced(len(workers))
    return {pool for one in workers for pool in one.leasing if pool in lane.capabilities}


def slots_of(workers: Iterable[Worker], *lanes: Route) -> int:
    """How many tasks of these lanes the workers run at a time."""
    return sum(_slots(one, lanes) for one in workers)


def has_free_slot(workers: Iterable[Worker], lane: Route) -> bool:
    return any(one.parked for worker in workers for one in worker.leasing if one in lane.capabilities)


def _slots(worker: Worker, lanes: Iterable[Route]) -> int:
    pools, said = worker.pools, worker.said_pools
    if worker.info is None:
        return 0
    # One that has not said yet how large its pools are, or is too old to say so, is taken as a whole.
    if not pools or len(said) != len(pools):
        return worker.info.slots
    serving = {pool for lane in lanes for pool in pools if pool in lane.capabilities}
    return sum(size.slots for pool, size in zip(pools, said, strict=True) if pool in serving)


def runs_alone(workers: Sequence[Worker], lane: Route) -> bool:
    """Whether it is a coroutine function, and each of its tasks has a process for itself wherever it is served."""
    return bool(workers) and all(_runs_alone(one, lane) for one in workers)


def _runs_alone(worker: Worker, lane: Route) -> bool:
    said = worker.said_pools
    if lane.task not in worker.coroutines or len(said) != len(worker.leasing):
        return False
    kinds = [size.pool for pool, size in zip(worker.leasing, said, strict=True) if pool in lane.capabilities]
    return all(kind.startswith(PROCESSES) for kind in kinds)


def pool_of_hundreds(task: FullTask) -> str:
    """The line that starts a worker with a pool for coroutines."""
    module = task.task.partition(":")[0]
    return f"tq-worker --pool async:500 {switch_of(module) or module}"
