"""Why a task that asks for something of its worker does not run: what is missing, and which worker comes nearest. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from ...common.domain.amounts import show_amount, units
from ...common.domain.placing import Obstacle, Place, Placing, Reason, nearest
from ..engine.engine import Engine
from ..store.interface.queries import FullTask
from ..strikes.strikes import Strikes
from ..workers.membership import Membership, Worker
from .route import Route
from .routes import Routes

OBSTACLES_SHOWN_MAX: Final = 4  # in a sentence


def place_of(engine: Engine, worker: Worker) -> Place:
    """What a worker has, and what is free of it but for what is kept."""
    if worker.info is None:
        return Place({}, {})
    held = engine.part(Routes).placements.amounts(worker.number)
    return Place.of(worker.info.labels, worker.info.resources, held)


class NearestWorker(NamedTuple):
    worker: Worker
    obstacles: Sequence[Obstacle]


def lane_of(engine: Engine, task: FullTask) -> Route:
    routes = engine.part(Routes)
    may_differ = len(routes.by_number) > len(routes.plain) or engine.part(Strikes).by_number
    found = engine.store.find([task.id]) if may_differ else []
    if not found:
        return routes.route(task.queue, task.task)
    return routes.mixed.lane_of(routes.by_number[found[0].route], found[0].seq)


def placing_of(engine: Engine, lane: Route) -> Placing | None:
    """None: its tasks run on every worker that serves them."""
    return engine.part(Routes).placements.lanes.get(lane.number)


def suiting(engine: Engine, placing: Placing, workers: Iterable[Worker]) -> list[Worker]:
    """Those that could run it if they held nothing else."""
    return [one for one in workers if place_of(engine, one).suits(placing)]


def nearest_to(engine: Engine, placing: Placing, workers: Sequence[Worker]) -> NearestWorker | None:
    # Comparing with all workers takes time: the transaction pays for it.
    engine.work.glanced(len(workers))
    found = nearest(placing, ((one, place_of(engine, one)) for one in workers))
    return None if found is None else NearestWorker(*found)


def why_not_placed(engine: Engine, lane: Route, placing: Placing, workers: Sequence[Worker]) -> str | None:
    """``workers``: those that serve it. None: one of them has room, and what is missing is a slot."""
    near = nearest_to(engine, placing, workers)
    if near is None or near.worker.info is None:
        return None
    host, obstacles = near.worker.info.host, near.obstacles
    words = ", ".join(map(str, obstacles[:OBSTACLES_SHOWN_MAX]))
    # Waiting does not help: the nearest worker lacks it even when it is idle.
    if any(one.reason is not Reason.BUSY for one in obstacles):
        return (
            f"it asks for {placing}, and no connected worker that serves it can ever run it; {host} comes nearest: {words}; "
            f"start one with `{_remedy(obstacles)}`"
        )
    if obstacles:
        return (
            f"it asks for {placing}, and waits until that is free; {host} comes nearest: {words}, "
            "and tasks that it was given hold the rest"
        )
    # What is kept for whom may be out of date: it is computed at the next choice.
    engine.part(Routes).lanes.keep(engine.now.steady)
    room = engine.part(Routes).placements.room
    if not any(room(one.number, lane.number) for one in workers):
        return f"it asks for {placing}; what {host} has free is kept for a task before it that needs more"
    return None


def _remedy(obstacles: Iterable[Obstacle]) -> str:
    """The options of a worker for which these would not be in the way."""
    options: list[str] = []
    for one in obstacles:
        if one.reason in (Reason.SMALL, Reason.ABSENT):
            options.append(f"--resource {one.name}={show_amount(int(one.needed))}")
        elif one.reason is Reason.LABEL:
            name, equals, value = str(one.needed).partition("=")
            options.append(
                f"--label {name}={value}" if equals and name == one.name else f"--label {one.name}=…"
            )
    return " ".join(["tq-worker", *options, "…"])


def shown_placing(engine: Engine, task: FullTask) -> dict[str, Any] | None:
    """The same for programs: what is asked, and of the nearest worker that serves it all that is in the way."""
    lane = lane_of(engine, task)
    placing = placing_of(engine, lane)
    if placing is None:
        return None
    workers = engine.part(Membership).by_node.values()
    serving = [
        one
        for one in workers
        if one.session is not None and any(pool in lane.capabilities for pool in one.leasing)
    ]
    near = nearest_to(engine, placing, [one for one in serving if not one.draining])
    shown: dict[str, Any] = {
        "needs": {name: units(amount) for name, amount in placing.needs},
        "where": placing.where or None,
        "nearest": None,
    }
    if near is not None and near.worker.info is not None:
        shown["nearest"] = {
            "host": near.worker.info.host,
            "node": near.worker.node.hex(),
            "missing": [
                {
                    "reason": str(one.reason),
                    "name": one.name,
                    "needed": one.needed if isinstance(one.needed, str) else units(one.needed),
                    "there": one.there if isinstance(one.there, str | None) else units(one.there),
                }
                for one in near.obstacles
            ],
        }
    return shown
