"""The worker's clock: while something runs, the agent is called every TICK_SECONDS, and children are measured now and then.

An idle worker does not tick: the next job that is sent to a child starts it again. While a pool has more children than it needs, it ticks
slowly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ...common.runtime.callbacks import WORKER, contained, report_bug
from ..agent.agent import Agent
from ..agent.scaler import Scaler
from ..agent.watchdog import LOOK_SECONDS, TICK_SECONDS
from .memory import resident_bytes
from .observer import SEND_SECONDS
from .runner_pool import RunnerPool

SLOW_TICK_SECONDS: Final = 1.0  # while nothing runs, and there are children that may be too many
MEMORY_CHECK_SECONDS: Final = 0.25  # between two measurements of all children, while something runs


class Ticker:
    """``limits_memory``: whether children have a limit of memory. ``ended``, ``after``: see ``RunnerPool``."""

    def __init__(
        self,
        agent: Agent,
        runners: RunnerPool,
        report: Callable[..., None],
        ended: asyncio.Future[int],
        after: Callable[[], None],
        *,
        limits_memory: bool,
    ) -> None:
        self._agent, self._runners, self._report = agent, runners, report
        self._ended, self._after, self._limits_memory = ended, after, limits_memory
        self._loop = asyncio.get_running_loop()
        self.scaler: Scaler | None = None  # of a pool whose number of children follows its work
        self._timer: asyncio.TimerHandle | None = None
        self._is_slow = False
        self._look_timer: asyncio.TimerHandle | None = None
        self._ticked = 0.0
        self._memory_checked_at = 0.0
        self._progress_checked_at = 0.0
        self.lease_seconds = 0.0  # as the master said; 0: not connected yet

    def soon(self) -> None:
        """Tick as long as something runs."""
        # A slow tick must not keep a new job waiting for its first look.
        if self._timer is None or self._is_slow:
            self._tick_in(TICK_SECONDS)

    def _tick_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._ticked, self._is_slow = self._loop.time(), seconds > TICK_SECONDS
        self._timer = self._loop.call_later(seconds, self._tick)

    def look_soon(self) -> None:
        """Look at children more often, as long as jobs are queued in one."""
        if self._look_timer is None:
            self._look_timer = self._loop.call_later(LOOK_SECONDS, self._look)

    @contained
    def _look(self) -> None:
        self._look_timer = None
        if not self._ended.done() and self._agent.look(self._loop.time()):
            self.look_soon()

    @contained
    def _tick(self) -> None:
        self._timer = None
        if self._ended.done():
            return  # what was held is released, and dead children are not replaced
        try:
            self._check(self._loop.time())
        finally:
            agent = self._agent
            if (
                agent.children.busy
                or agent.backlog.waiting
                or agent.backlog.parked
                or agent.lending.keeps_children
            ):
                self.soon()
            elif self.scaler is not None and self.scaler.is_above_least:
                self._tick_in(SLOW_TICK_SECONDS)

    def _check(self, now: float) -> None:
        # A tick that comes later than a lease lasts: the host slept, or this process was stopped; others may have our tasks.
        if self.lease_seconds and now - self._ticked > self.lease_seconds:
            self._report("worker.stalled", level="warning", seconds=now - self._ticked)
        if now - self._progress_checked_at >= SEND_SECONDS:
            self._progress_checked_at = now
            self._runners.check_progress()
        if self._limits_memory and self._is_memory_due(now):
            self._memory_checked_at = now
            # One that still imports may take what it needs: the limit is of tasks.
            ready = [one for one in self._runners.by_number.values() if one.ready]
            self._agent.measured({one.number: resident_bytes(one.pid) for one in ready}, now)
        # After the measurements: what has grown too large is decided on in the same tick.
        self._agent.tick(now)
        if self.scaler is not None:
            self.scaler.look(now)
        self._after()

    def _is_memory_due(self, now: float) -> bool:
        """Not at every tick, but always at the last one: it measures children that are idle."""
        return now - self._memory_checked_at >= MEMORY_CHECK_SECONDS or not self._agent.children.busy

    def broke(self, error: Exception) -> None:
        """A bug in one tick is logged, and the next tick comes."""
        report_bug(self._report, error, WORKER)
