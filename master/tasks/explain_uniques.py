"""What is shown of a task that is the only one with its key (``unique=``, ``cache=``). Reads only."""

from __future__ import annotations

from typing import Any

from ...common.domain.model import State, StateNumber
from ..engine.engine import Engine
from ..store.interface.queries import FullTask


def shown_unique(engine: Engine, task: FullTask) -> dict[str, Any] | None:
    """Its key, and whether a submit with that key meets it now; ``until``: Unix seconds, if that ends by itself. None: it is not the
    last one of a key."""
    row = engine.store.uniques.of_task(task.id)
    if row is None:
        return None
    states = [str(State.from_number(one)) for one in StateNumber if row.states >> one & 1]
    ends = [row.until]
    if task.state == StateNumber.SUCCEEDED and row.fresh is not None and task.finished is not None:
        ends.append(task.finished + row.fresh)
    until = min((one for one in ends if one is not None), default=None)
    meets = bool(row.states >> task.state & 1) and (until is None or engine.now.steady < until)
    return {
        "key": row.key,
        "states": states,
        "meets": meets,
        "until": engine.now.shown(until) if meets and until is not None else None,
    }
