"""For how long an owner can be certain, by its own clock alone, that no other master has its shard.

Time goes on while a process stands still, so an owner that goes on after a pause sees by this that it must ask first: what it would
answer from its copy may be another master's state of long ago. Whether it owns the shard is the database's word; this is only from when on
it has to be asked again.

::

    asked ─► the database has confirmed it ─► certain until asked + LEASE_SECONDS - MARGIN_SECONDS
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LEASE_SECONDS: Final = 4  # how long an owner that says nothing keeps others away
MARGIN_SECONDS: Final = 0.2  # for two clocks of which one is faster: 5 %


def clock() -> float:
    """Seconds that pass also while this machine sleeps, where the system has such a clock."""
    # Not of every system: its absence is seen here, not where the module is imported.
    number = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(number)


class Tenure:
    """Of one owner. ``confirmed`` may be called in any thread: the later confirmation counts."""

    def __init__(self, asked: float, now: Callable[[], float] = clock) -> None:
        self.now = now
        self._asked = asked

    @property
    def is_certain(self) -> bool:
        return self.unconfirmed_seconds < LEASE_SECONDS - MARGIN_SECONDS

    @property
    def unconfirmed_seconds(self) -> float:
        """Since the last question that the database has confirmed."""
        return self.now() - self._asked

    def confirmed(self, asked: float) -> None:
        """``asked``: when it was asked, for the lease may have begun at any moment after that."""
        # Two threads that come at once can at worst leave the earlier one, which is true as well.
        self._asked = max(self._asked, asked)
