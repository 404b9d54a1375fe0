"""A pool whose number of children follows its work: looks at the agent at each tick, and has children started and ended. Pure.

More tasks are leased than its children run at a time, as many as the children that would be started next could run: what waits at the
master is seen by what waits here. Nothing more is leased when it has all children that it may have.

A child that goes is one without a task; of children that run many tasks at a time it is the one with the fewest, which gets no more and
ends when those have ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .agent import Agent
from .effects import ChildState
from .scaling import Scaling


class ScaleEffects(Protocol):
    def start(self) -> None:
        """Start one more child."""

    def spare(self, child: int) -> None:
        """It gets no more jobs; when it ends, no other is started in its place."""


class Scaler:
    """``places``: how many tasks each child runs at a time. ``changed``: called when there are to be more or fewer."""

    def __init__(
        self,
        agent: Agent,
        scaling: Scaling,
        places: int,
        effects: ScaleEffects,
        report: Callable[..., None],
        pool: str,
        changed: Callable[[], None],
    ) -> None:
        self._agent, self._scaling, self._places, self._effects = agent, scaling, places, effects
        self._report, self._pool, self._changed = report, pool, changed
        self._agree()

    @property
    def is_above_least(self) -> bool:
        """Whether it may have fewer children when time passes."""
        return self._scaling.children > self._scaling.least and not self._agent.draining

    def look(self, now: float) -> None:
        """At every tick."""
        agent, scaling = self._agent, self._scaling
        # It is about to end: children that go are not replaced, and none is started.
        if agent.draining:
            return
        usable = self._usable()
        jobs = sum(len(child.jobs) for child in usable)
        # As few children as would do: of those that run many tasks, several may be half empty.
        busy = min(sum(bool(child.jobs) for child in usable), -(-jobs // self._places))
        waiting = agent.backlog.startable
        before, ready = scaling.children, sum(child.ready for child in usable)
        lacking = -(-waiting // self._places) if agent.connected else 0
        wanted = scaling.look(ready, busy, lacking, now)
        if wanted != before:
            self._agree()
            for _ in range(wanted - before):
                self._effects.start()
            if wanted < before:
                self._end_some(usable, len(usable) - wanted)
            self._report("pool.scaled", pool=self._pool, children=wanted, before=before, waiting=waiting)
            self._changed()
            agent.work(now)

    def _usable(self) -> list[ChildState]:
        """Those that take any job."""
        children = self._agent.children
        return [child for child in children.values() if not child.is_lent and not children.is_used_up(child)]

    def _end_some(self, usable: list[ChildState], count: int) -> None:
        # A child with one place is never ended under its task, however long that runs.
        may_go = [one for one in usable if not one.jobs or self._places > 1]
        for child in sorted(may_go, key=lambda one: len(one.jobs))[:count]:
            self._effects.spare(child.number)
            child.is_retiring = True
            self._agent.children.retire_if_due(child)

    def _agree(self) -> None:
        """The agent leases for the children that there are, and those that would be started next."""
        self._agent.slots = self._scaling.children * self._places
        self._agent.ahead = self._scaling.step * self._places
