"""How fast the master does what no caller waits for: a portion of a few milliseconds, then a pause. Pure.

::

    portion of about PORTION_SECONDS, its commit │ pause, many times as long as both │ portion │ …

A portion is ended by the clock, for how long a step takes is not known beforehand: a purged task may have a megabyte. Without
a clock (see work.py) it is ended by the number of its steps. What its commit takes is known only afterwards: it makes the pause
behind the next portion longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

PORTION_SECONDS: Final = 0.002  # less than what a call waits for the disk
STEPS_MAX: Final = 64  # in a portion
COMMIT_SECONDS_MAX: Final = 0.01  # that count: a disk that makes others wait takes nothing of a core


class Pace:
    """``seconds``: a monotonic clock. ``share``: of one core, for all portions and pauses together."""

    def __init__(self, seconds: Callable[[], float] | None, share: float) -> None:
        self._seconds, self.share = seconds, share
        self._ended: float | None = None  # the portion of the transaction that is under way
        self._commit_seconds = 0.0  # of the portion before

    def portion(self, step: Callable[[], bool]) -> int | None:
        """Do steps until a portion is full; in how many milliseconds the next one may begin. None: the last step returned
        False, nothing is left to do."""
        began = now = 0.0 if self._seconds is None else self._seconds()
        commit_seconds, self._commit_seconds, self._ended = self._commit_seconds, 0.0, None
        is_left, steps = True, 0
        while is_left and steps < STEPS_MAX and now - began < PORTION_SECONDS:
            is_left, steps = step(), steps + 1
            now = began if self._seconds is None else self._seconds()
        # What is done has no next portion whose pause its commit could lengthen: it is not measured.
        if not is_left:
            return None
        self._ended = now
        taken = now - began + commit_seconds
        return int(1000 * max(PORTION_SECONDS / self.share, taken * (1 / self.share - 1)))

    def committed(self) -> None:
        """The transaction is durable, or another one is whose portion was void: then its time is cut off."""
        if self._seconds is not None and self._ended is not None:
            self._commit_seconds = min(COMMIT_SECONDS_MAX, self._seconds() - self._ended)
        self._ended = None
