"""One pool of a worker: its children, what it decides, its clock, and its calls over the one connection.

Pools share the connection, and nothing else: what one leases, holds and reports concerns no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from ...common.contract.workers import PoolSlots
from ...common.domain.indexes import Indexes
from ...common.runtime.config import WorkerSettings
from ...common.runtime.pool_spec import THREAD, PoolSpec
from ..agent.agent import Agent
from ..agent.concurrent_children import Concurrency
from ..agent.scaler import Scaler
from ..agent.scaling import Scaling
from ..pools.concurrent import ConcurrentHandle
from ..pools.interface import MakeRunner
from ..pools.kinds import handle_of
from ..pools.processes import Start
from .attempt_log import WorkerAttemptLog
from .lifetimes import Lifetimes
from .master_calls import MasterCalls
from .masters import Masters
from .observer import Observer
from .runner_pool import RunnerPool
from .ticker import Ticker

TASKS_NAMED_MAX: Final = 5  # in the line of the log that says what runs in threads


class WorkerPool:
    """``place``: among the worker's pools; None: it is the only one. ``make_runner`` None: child processes of its kind.
    ``start``: starts their processes."""

    scaled: Callable[[], None]  # set by the supervisor: called when there are to be more or fewer children

    def __init__(
        self,
        spec: PoolSpec,
        place: int | None,
        settings: WorkerSettings,
        indexes: Indexes,
        make_runner: MakeRunner | None,
        start: Start,
        masters: Masters,
        observer: Observer,
        report: Callable[..., None],
        ended: asyncio.Future[int],
        after: Callable[[], None],
    ) -> None:
        self.spec, self._is_in_program = spec, make_runner is not None
        make = make_runner or partial(handle_of(spec), start=start)
        self.runners = RunnerPool(settings, make, masters, observer, report, ended, after)
        self.calls = MasterCalls(masters, observer, report, after, place)
        replacing = Replacing(self.runners, report)
        self.agent = agent = Agent(
            self.runners,
            self.calls,
            spec.slots_most,
            lent=self.runners.waits,
            kill_grace_seconds=settings.kill_grace_seconds,
            report=report,
            max_tasks_per_child=settings.max_tasks_per_child,
            max_memory_per_child=settings.max_memory_per_child,
            lent_children=settings.lent_children,
            concurrent=Concurrency(spec.places, replacing) if spec.is_concurrent else None,
            indexes=indexes,
        )
        # Fewer than the most while it is scaled: the agent was made for all that there may be.
        agent.slots = spec.slots
        replace = replacing.replace if spec.is_concurrent else None
        self.runners.lifetimes = Lifetimes(settings.max_seconds_per_child, agent, replace, report)
        limits_memory = settings.max_memory_per_child > 0
        self.ticker = Ticker(agent, self.runners, report, ended, after, limits_memory=limits_memory)
        if spec.is_scaled:
            scaling = Scaling(spec.children, spec.most)
            self.ticker.scaler = Scaler(
                agent, scaling, spec.places, replacing, report, str(spec), lambda: self.scaled()
            )
        self.runners.wanted = lambda: agent.slots // spec.places
        # After the agent is made: each of these needs the other.
        self.runners.agent = self.calls.agent = agent
        agent.last_lines = observer.last_lines
        agent.ended.watch_unsuccessful = WorkerAttemptLog(report, asyncio.get_running_loop())
        self.runners.tick_soon, self.runners.look_soon = self.ticker.soon, self.ticker.look_soon

    @property
    def as_said(self) -> PoolSlots:
        """Its kind and size, for people to see."""
        slots = self.agent.slots
        text = f"{THREAD}:{slots}" if self._is_in_program else str(replace(self.spec, queues=()))
        return PoolSlots(text, slots)

    def functions_of(self, names: list[str]) -> list[str]:
        """Those of these tasks that are no coroutine functions."""
        # True: what is imported for its first task is not known yet.
        return [name for name in names if not self.runners.coroutines.get(name, True)]

    def start_rest(self) -> None:
        """The first child is ready: start the others."""
        for _ in range(self.spec.children - 1):
            self.runners.start_one()


class Replacing:
    """See ``effects.ConcurrentEffects``, and ``scaler.ScaleEffects`` for pools of any kind. ``runners``: the children of the pool."""

    def __init__(self, runners: RunnerPool, report: Callable[..., None]) -> None:
        self._runners, self._report = runners, report

    def replace(self, child: int) -> None:
        # Once for each child, however many of its jobs do not end.
        if child not in self._runners.replaced:
            self._runners.replaced.add(child)
            self._report("child.replaced", pid=self._runners.by_number[child].pid)
            self._runners.start_one()

    def start(self) -> None:
        self._runners.start_one()

    def spare(self, child: int) -> None:
        self._runners.replaced.add(child)

    def beat(self, child: int) -> tuple[int, int]:
        return self._handle(child).beat()

    def starved(self, child: int, now: float) -> tuple[float, float]:
        return self._handle(child).starvation.look(now)

    def stack(self, child: int, ordinal: int) -> str:
        return self._handle(child).stack(ordinal)

    def _handle(self, child: int) -> ConcurrentHandle:
        handle = self._runners.by_number[child]
        assert isinstance(handle, ConcurrentHandle)  # noqa: S101 - all children of such a pool are
        return handle
