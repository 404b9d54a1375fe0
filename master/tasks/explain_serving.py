"""Which workers serve a lane, and how many slots they have. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from ..engine.engine import Engine
from ..workers.membership import Membership, Worker
from .explain_placing import placing_of, suiting
from .route import Route


def serving(engine: Engine, lane: Route) -> list[Worker]:
    """The connected workers that would be given its tasks, if they had room."""
    workers = engine.part(Membership).by_node.values()
    engine.work.glanced(len(workers))
    able = [one for one in workers if one.session is not None and one.capability in lane.capabilities]
    working = [one for one in able if not one.draining and one.info is not None]
    placing = placing_of(engine, lane)
    return working if placing is None else suiting(engine, placing, working)


def slots_of(workers: Sequence[Worker]) -> int:
    return sum(one.info.slots for one in workers if one.info)
