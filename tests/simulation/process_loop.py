"""An event loop in the simulated time, for shipped code that awaits: tasks, futures, timeouts, and threads that it waits for.

Callbacks run one at a time, as events of its process: they wait while it stands still, and never run when it is dead.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

from .fibers import Fiber
from .world import SECOND, Handle, Process


class ProcessLoop(asyncio.AbstractEventLoop):
    def __init__(self, process: Process) -> None:
        self._process = process
        self._tasks: list[asyncio.Task[Any]] = []

    def time(self) -> float:
        return self._process.world.now / SECOND * self._process.clock_rate

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return not self._process.alive

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> Handle:
        return self.call_later(0, callback, *args, context=context)

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        held = contextvars.copy_context() if context is None else context

        def run() -> None:
            asyncio._set_running_loop(self)
            try:
                held.run(callback, *args)
            finally:
                asyncio._set_running_loop(None)

        return self._process.later(round(delay / self._process.clock_rate * SECOND), run)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        return self.call_later(max(0.0, when - self.time()), callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **how: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        task = asyncio.Task(coro, loop=self, **how)
        task._log_destroy_pending = False  # type: ignore[attr-defined] - a killed process leaves some
        self._tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        answer = self.create_future()

        def perform() -> None:
            try:
                result = function(*args)
            except Exception as error:
                self.call_soon(_settle, answer, answer.set_exception, error)
            else:
                self.call_soon(_settle, answer, answer.set_result, result)

        Fiber(self._process, perform)
        return answer

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Of what no one has awaited: a bug."""
        raise context.get("exception") or AssertionError(context["message"])

    def end(self) -> None:
        """The process is dead: what its tasks waited for does not come."""
        for task in self._tasks:
            if not task.done():
                task.get_coro().close()  # type: ignore[union-attr]


def _settle(answer: asyncio.Future[Any], settle: Callable[[Any], None], what: object) -> None:
    if not answer.done():
        settle(what)
