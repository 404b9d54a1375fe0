"""Timed waits of an Executor's and a Pool's results: their TimeoutError says why a task waits, as that of a handle does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...common.domain.ids import show_id
from ..tasks.lent_slot import Runs, wait_lending
from ..tasks.stalls import Stall

if TYPE_CHECKING:
    from ..core.session import ClientSession


class TimedWait:
    """One wait. ``wait``: waits for so many seconds, and says whether what is waited for has come. ``task``: that is waited for,
    or one of them, as of now."""

    def __init__(
        self,
        session: ClientSession,
        task: Callable[[], bytes | None],
        wait: Callable[[float], bool],
        timeout: float,
        runs: Runs,
    ) -> None:
        self._task, self._wait, self._timeout, self._runs = task, wait, timeout, runs
        # The submission queue warns, and the slot is lent here, because more tasks may come.
        self._stall = Stall(session, task, timeout, warns=False)

    def succeeds(self) -> bool:
        return wait_lending(self._succeeds_within, self._runs, self._timeout)

    def _succeeds_within(self, seconds: float | None) -> bool:
        return self._stall.wait(self, 0, time.monotonic() + (self._timeout if seconds is None else seconds))

    @property
    def complaint(self) -> str:
        """The message of the TimeoutError."""
        task = self._task()
        name = "it" if task is None else f"task {show_id(task)}"
        because = f": {self._stall.reason}" if self._stall.reason else ""
        return f"{name} has no result after {self._timeout:.3g} s; it goes on{because}"

    def wait(self, want: bytes | int, deadline: float | None) -> bool:
        """For ``Stall``."""
        return self._wait(max(0.0, (deadline or 0.0) - time.monotonic()))
