"""Where a ready task stands in line and when it starts, for programs. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...common.domain.model import StateNumber
from ..engine.engine import Engine
from ..store.interface.queries import FullTask
from ..workers.membership import Membership, Worker
from .explain_limits import why_held
from .explain_placing import lane_of, placing_of, suiting
from .explain_stopped import why_stopped
from .position import eta_of, position_of
from .route import Route

NO_PLACE: Final[dict[str, Any]] = {"position": None, "eta": None}


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


def shown_position(engine: Engine, task: FullTask) -> dict[str, Any]:
    """``position``: how many start before it, and whether that is exact or at least so many; ``eta``: between which moments it starts, and
    what that rests on. None: it does not stand in line, or nothing is known."""
    if task.state != StateNumber.READY or why_stopped(engine, task) or why_held(engine, task.id):
        return NO_PLACE
    lane = lane_of(engine, task)
    working = serving(engine, lane)
    if not working:
        return NO_PLACE
    slots = slots_of(working)
    position = position_of(engine, lane, task, slots)
    found, now = eta_of(engine, position, working, slots), engine.now.shown(engine.now.steady)
    eta = None
    if found is not None:
        moments = {"earliest": now + found.earliest, "latest": now + found.latest}
        eta = {**moments, "ahead": position.ahead, "slots": slots, "per_second": found.per_second}
    return {"position": {"ahead": position.ahead, "exact": position.is_exact}, "eta": eta}
