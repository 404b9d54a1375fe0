"""A computation beside the event loop, in a thread of its own.

Not in the loop's pool: it takes nothing when the interpreter is ending, and cannot be ended everywhere; a program that waits
for results needs its connection even then.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_A = TypeVar("_A")
_R = TypeVar("_R")


async def in_own_thread(compute: Callable[[_A], _R], argument: _A, *, name: str) -> _R:
    """``compute(argument)``, or what it raises. Without another thread in the system it is computed here, on the loop."""
    computed: Future[_R] = Future()

    def run() -> None:
        # From here on it cannot be cancelled: the result has its place, even if no one waits for it any more.
        if not computed.set_running_or_notify_cancel():
            return
        try:
            computed.set_result(compute(argument))
        except BaseException as error:
            computed.set_exception(error)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:  # no more threads
        return compute(argument)
    return await asyncio.wrap_future(computed)
