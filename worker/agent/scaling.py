"""How many children a pool has, by what waits for them: a range, a rule for more and one for fewer. Pure.

::

    every child is ready, and something waits at each look for GROW_SECONDS ─► half as many more, no more than what waits needs
    at no look of IDLE_SECONDS so many were needed ──────────────────────────► a quarter of the surplus fewer, at least one

Between the two stands time, so that the number does not flap: it grows at most twice a second and only under a line that does not end by
itself; it shrinks at most every IDLE_SECONDS, and only to what the busiest moment of them needed. Each change begins both times again.
"""

from __future__ import annotations

from typing import Final

GROW_SECONDS: Final = 0.5
IDLE_SECONDS: Final = 15.0
SURPLUS_PART: Final = 4  # of the surplus, one in so many goes at a time


class Scaling:
    """``least``, ``most``: so many children at any time."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most
        self.children = least  # as they should be
        self._waits_since: float | None = None
        self._idle_since: float | None = None
        self._needed = 0  # at most, since then

    @property
    def step(self) -> int:
        """How many would be started at once next: for so many it is worth to have something in hand that waits."""
        return min(self.most - self.children, max(1, self.children // 2))

    def look(self, ready: int, busy: int, lacking: int, now: float) -> int:
        """How many there should be from now on.

        Args:
            ready: Children that may take tasks.
            busy: How many of them would do for what runs now.
            lacking: How many more what waits here would fill.
            now: Seconds, by any clock.
        """
        before = self.children
        if lacking and ready >= before:
            if self._waits_since is None:
                self._waits_since = now
            elif now - self._waits_since >= GROW_SECONDS and before < self.most:
                self.children += min(self.step, lacking)
        else:
            self._waits_since = None
        self._needed = max(self._needed, busy + lacking)
        if self._idle_since is None:
            self._idle_since = now
        elif now - self._idle_since >= IDLE_SECONDS:
            surplus = before - max(self.least, self._needed)
            if surplus > 0 and self.children == before:
                self.children -= max(1, surplus // SURPLUS_PART)
            self._begin(now)
        if self.children != before:
            self._begin(now)
        return self.children

    def _begin(self, now: float) -> None:
        self._waits_since, self._idle_since, self._needed = None, now, 0
