"""A word to who waits for a task that nobody runs: no worker serves it, or its queue is paused."""

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

STUCK_SECONDS: Final = 2.0  # without a result, until it is looked why


def complaint(task: dict[str, Any]) -> str:
    """What to say of a task as ``show`` tells it; empty when it goes on by itself."""
    return f"{task['why']}; `tq why {show_id(task['id'])}` looks again" if task["stuck"] else ""


@contextmanager
def told_if_stuck(app: App, handle: Handle[Any]) -> Iterator[None]:
    """While the block waits for the task's end, one line on stderr if it could wait for ever."""

    def look() -> None:
        try:
            words = complaint(app.call(TASKS, "show", parse_id(handle.id)))
        except (TqError, TimeoutError):  # whoever waits for the result is told
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
