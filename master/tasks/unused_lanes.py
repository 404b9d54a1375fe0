"""Lanes of which the store has no task: when they are forgotten. Pure.

A lane is made, or asked for, by a submit before its tasks are counted, so it has one transaction of grace. Of very many that are left at once,
each transaction forgets a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from .route import Route

FORGOTTEN_AT_ONCE: Final = 40_000  # glances, see engine/work.py: fifty milliseconds
# Of one lane, for what the store does; each kind of worker that served it is one more
LANE_GLANCES: Final = 50


class UnusedLanes:
    def __init__(self, forget: Callable[[Route], None]) -> None:
        self._forget = forget
        self._wanted: dict[Route, None] = {}  # that were asked for in this transaction, used or not,
        self._unused: dict[Route, None] = {}  # or before it
        self.has_more = False  # than one transaction forgets

    def load(self, lanes: Iterable[Route]) -> None:
        """After a start, as if these had just been asked for: those without a task are found in the next transactions."""
        self._wanted = {lane: None for lane in lanes if not lane.is_used}
        self._unused.clear()
        self.has_more = False

    def want(self, lane: Route) -> None:
        """A submit has asked for it, which is counted later. What it is used for now may be gone before that."""
        if not lane.is_plain:
            self._wanted[lane] = None

    def look(self, lane: Route) -> None:
        """Something of it is gone."""
        if not lane.is_used:
            self._unused[lane] = None

    def work(self) -> None:
        """Forget those that are unused still, within the share of one transaction."""
        left = FORGOTTEN_AT_ONCE
        while self._unused and left > 0:
            lane, _ = self._unused.popitem()
            # It may have got a task since it was noted.
            if lane not in self._wanted and not lane.is_used:
                left -= LANE_GLANCES + len(lane.capabilities)
                self._forget(lane)
        self.has_more = bool(self._unused)
        # From now on, at the end: those of this transaction are not looked at before the next one, when their tasks are counted.
        if self._wanted:
            self._unused |= self._wanted
            self._wanted = {}
