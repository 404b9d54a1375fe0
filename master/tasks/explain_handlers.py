"""What is shown of a task's handler (``on_failure``). Reads only."""

from __future__ import annotations

from typing import Any

from ...common.domain.ids import show_id
from ..engine.engine import Engine
from ..store.interface.queries import FullTask
from .failure_handlers import HANDLED, handler_id
from .kept_handler import KeptHandler
from .routes import Routes


def shown_handler(engine: Engine, task: FullTask) -> dict[str, Any] | None:
    """Which task is made when this one ends without success, and the id of the one that was made of its end. None: it has no handler."""
    found = engine.store.find([task.id])
    kept = engine.part(Routes).by_number[found[0].route].key.handler if found else b""
    if not kept:
        return None
    handler = KeptHandler.unpacked(kept).handler
    made = None
    if task.state in HANDLED and task.finished is not None:
        id = handler_id(task.id, task.finished)
        made = show_id(id) if engine.store.find([id]) else None
    return {"task": handler.task, "queue": handler.queue, "id": made}
