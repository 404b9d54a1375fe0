"""Coroutines in a child that runs one job after the other: each alone on an event loop that is kept for the next.

::

    a notice while the loop waits, or runs a task that the coroutine has made ─► task.cancel(): its ``finally`` and ``async with`` run
    a notice while its own code runs (it computes, it blocks) ─────────────────► not here: the caller raises it in that code

A coroutine that goes on all the same is killed with its process when the kill grace is over, as any other job.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from ...common.errors import CancelRequested, TimeLimit

Interruption = TimeLimit | CancelRequested


class Coroutines:
    """Used by the main thread alone; ``interrupt`` by its signal handler."""

    def __init__(self) -> None:
        self._loop: Any = None  # of asyncio, made for the first of them
        self._task: Any = None  # which runs
        self._asked: Interruption | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What it returns. Raises what it raises, and instead of the cancel of an interruption the interruption."""
        import asyncio

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        loop = self._loop
        self._asked = None
        self._task = task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError as cancelled:
            if self._asked is None:
                raise
            raise self._asked.with_traceback(cancelled.__traceback__) from None
        except BaseExceptionGroup as group:  # of a TaskGroup in which the interruption was raised
            found = group.subgroup((TimeLimit, CancelRequested))
            if found is None:
                raise
            raise _first(found) from None
        finally:
            self._task = None
            if not task.done():
                # It was left in the middle by a signal between two steps: its loop is not used again, and that it never ends is no
                # news when it is collected, which asyncio would print as the output of whatever runs then.
                loop.set_exception_handler(ignore_what_is_left)
                loop.close()

    def why(self) -> type[BaseException] | None:
        """What it was asked to end by, when it was cancelled."""
        return None if self._asked is None else type(self._asked)

    def interrupt(self, asked: Interruption) -> bool:
        """Have what runs cancelled. False: nothing runs here, or its own code runs now, in which the caller raises."""
        task = self._task
        if task is None or task.done():
            return False
        import asyncio

        if asyncio.current_task(self._loop) is task:
            return False
        self._asked = asked
        self._loop.call_soon_threadsafe(task.cancel, str(asked))
        return True


def ignore_what_is_left(loop: Any, context: dict[str, Any]) -> None:
    """Of an event loop that runs nothing any more: what asyncio says of tasks that are pending for good."""


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    one: Any = group
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return one  # type: ignore[no-any-return]
