"""How long a child lives: one whose time is over gets no more jobs, ends when it has none, and another is started in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ...common.runtime.callbacks import WORKER, contained, report_bug
from ..agent.agent import Agent

EARLIER_MAX: Final = 0.1  # of its time: children that were started together are not replaced together
GOLDEN: Final = 0.618034  # multiples of it lie evenly between whole numbers, however many there are


def life_seconds(longest: float, number: int) -> float:
    """Of the child of this number."""
    return longest * (1 - EARLIER_MAX * (number * GOLDEN % 1))


class Lifetimes:
    """``longest``: seconds; 0: as long as the worker. ``replace``: starts another while jobs of this child still run."""

    def __init__(
        self,
        longest: float,
        agent: Agent,
        replace: Callable[[int], None] | None,
        report: Callable[..., None],
    ) -> None:
        self._longest, self._agent, self._replace, self._report = longest, agent, replace, report
        self._loop = asyncio.get_running_loop()

    def begin(self, number: int) -> None:
        """The child is ready."""
        if self._longest:
            self._loop.call_later(life_seconds(self._longest, number), self._over, number)

    @contained
    def _over(self, number: int) -> None:
        child = self._agent.children.get(number)
        # Dead, or on its way out already.
        if child is None or child.is_retiring or self._agent.draining:
            return
        # Its jobs are finished: only new ones go elsewhere.
        child.is_retiring = True
        if child.jobs and self._replace is not None:
            self._replace(number)
        self._agent.children.retire_if_due(child)

    def broke(self, error: Exception) -> None:
        """A bug costs this child's end, and nothing else."""
        report_bug(self._report, error, WORKER)
