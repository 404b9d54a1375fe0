"""What is answered about a flow. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...common.domain.ids import show_id
from ..engine.clock import Now
from ..store.interface.flows import FlowRow
from ..tasks.shown import begun
from .live import NOTHING

if TYPE_CHECKING:
    from ..engine.engine import Engine


def facts(row: FlowRow, now: Now) -> dict[str, Any]:
    """What its row says, in plain values: also what its callbacks are given."""
    return {
        "id": show_id(row.id),
        "name": row.name,
        "state": row.state,
        "run": row.run,
        "total": row.total,
        "succeeded": row.succeeded,
        "failed": row.failed,
        "cancelled": row.cancelled,
        "first_failure": None if row.culprit is None else show_id(row.culprit),
        "reason": row.reason,
        "created": now.shown(row.created),
        "finished": None if row.finished is None else now.shown(row.finished),
    }


def summary(engine: Engine, row: FlowRow) -> dict[str, Any]:
    """The same, with what is so at this moment."""
    running = 0
    if row.finished is None:
        running = sum(1 for held in begun(engine) if held.origin == -row.number)
    return listed(row, running, engine.now)


def listed(row: FlowRow, running: int, now: Now) -> dict[str, Any]:
    """``running``: of its tasks, as of their workers' last beat."""
    return {
        **facts(row, now),
        "on_error": "collect" if row.collects else "fail_fast",
        "running": running if row.finished is None else 0,
        "is_ending": row.ending != 0 or row.work != NOTHING,
        "key": row.key,
    }
