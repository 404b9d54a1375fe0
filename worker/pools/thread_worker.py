"""A worker whose tasks run in threads of the program that has it: for ``tq.local(workers="threads")``.

Everything but the children is the real worker's: leases, heartbeats, retries, what is sent to the master and when.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from ...common.auth.keys import Credential
from ...common.runtime.config import WorkerSettings
from ...common.runtime.event_loop import run_loop
from ..supervisor.supervisor import Supervisor
from .thread import ThreadChild

STOP_SECONDS: Final = 1.0  # how long the thread is waited for after what is held was released


class ThreadWorker:
    """A started worker. Raises the error with which the master refused it."""

    def __init__(self, settings: WorkerSettings, authkey: str, report: Callable[..., None]) -> None:
        self._settings, self._credential, self._report = settings, Credential.parse(authkey), report
        self._loop: asyncio.AbstractEventLoop
        self._supervisor: Supervisor
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="tq-own-worker", daemon=True)
        self._thread.start()
        self._started.result()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def stop(self, seconds: float) -> None:
        """Finish what runs. What still runs after ``seconds`` is released, and goes on here: a thread cannot be killed."""
        self._tell(self._supervisor.drain)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._tell(self._supervisor.stop)
            self._thread.join(STOP_SECONDS)

    def _tell(self, step: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(step)

    def _run(self) -> None:
        try:
            run_loop(self._work())
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)
            else:
                self._report("worker.stopped", level="error", reason=str(error))

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._supervisor = Supervisor(self._settings, self._credential, self._hear, ThreadChild)
        await self._supervisor.load()
        await self._supervisor.run()

    def _hear(self, action: str, **fields: object) -> None:
        self._report(action, **fields)
        if action == "worker.connected" and not self._started.done():
            self._started.set_result(None)
