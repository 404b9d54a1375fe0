"""Which event loop runs: uvloop where there is one, asyncio's own elsewhere or when asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

VARIABLE: Final = "TQ_LOOP"  # "asyncio": do without uvloop; for tests and comparisons


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes a loop; None: asyncio's default."""
    if os.environ.get(VARIABLE) == "asyncio":
        return None
    try:
        import uvloop
    except (
        ImportError,
        RuntimeError,
    ):  # not there; or the interpreter is ending, and it wants a pool of threads
        return None
    return uvloop.new_event_loop


def run_loop(main: Coroutine[Any, Any, _T]) -> _T:
    """Run a program's one coroutine."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main)
