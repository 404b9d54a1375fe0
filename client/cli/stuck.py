"""A warning for a person who waits for a task that will not start: no worker serves it, or its queue is paused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ...common.domain.ids import parse_id, show_id
from ...common.errors import TqError
from ...common.runtime.terminal import say
from ..app import App
from ..tasks.handle import TASKS, Handle

STUCK_SECONDS: Final = 2.0  # without a result, before the reason is looked up


def complaint(task: dict[str, Any]) -> str:
    """The warning about a task, from its ``show`` row; empty when it needs no help to continue."""
    return f"{task['why']}; `tq why {show_id(task['id'])}` shows the current reason" if task["stuck"] else ""


@contextmanager
def warning_if_stuck(app: App, handle: Handle[Any]) -> Iterator[None]:
    """While the block waits for the end of the task, print one line on stderr if that wait may never end."""

    def look() -> None:
        try:
            words = complaint(app.call(TASKS, "show", parse_id(handle.id)))
        except (TqError, TimeoutError):  # the wait for the result raises the same error
            return
        if words:
            say(f"tq: {words}")

    timer = threading.Timer(STUCK_SECONDS, look)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
