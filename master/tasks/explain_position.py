"""Where a ready task stands in line and when it starts, for programs. Reads only."""

from __future__ import annotations

from typing import Any, Final

from ...common.domain.model import StateNumber
from ...common.domain.shards import is_spread
from ..engine.engine import Engine
from ..store.interface.queries import FullTask
from .explain_limits import why_held
from .explain_placing import lane_of
from .explain_serving import serving, slots_of
from .explain_stopped import why_stopped
from .position import eta_of, position_of

NO_PLACE: Final[dict[str, Any]] = {"position": None, "eta": None}


def shown_position(engine: Engine, task: FullTask) -> dict[str, Any]:
    """``position``: how many start before it, and whether that is exact or at least so many; ``eta``: between which moments it starts, and
    what that rests on. None: it does not stand in line, or nothing is known."""
    if task.state != StateNumber.READY or why_stopped(engine, task) or why_held(engine, task.id):
        return NO_PLACE
    lane = lane_of(engine, task)
    working = serving(engine, lane)
    if not working:
        return NO_PLACE
    slots = slots_of(working, lane)
    position = position_of(engine, lane, task, slots)
    found, now = eta_of(engine, lane, position, working, slots), engine.now.shown(engine.now.steady)
    eta = None
    if found is not None:
        moments = {"earliest": now + found.earliest, "latest": now + found.latest}
        eta = {**moments, "ahead": position.ahead, "slots": slots, "per_second": found.per_second}
    # Workers take tasks of a queue that is in every shard from all of them.
    is_alone = engine.core.shard.of == 1 or not is_spread(task.queue)
    return {"position": {"ahead": position.ahead, "exact": position.is_exact and is_alone}, "eta": eta}
