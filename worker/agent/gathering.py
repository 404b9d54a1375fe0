"""Whether reports that wait are sent now, or wait a little for others that are about to end. Pure.

::

    few tasks run at a time ─────────────────────────────► sent at once
    many do, and some of them end in that short a time ──► sent when the first has waited two fifths of what tasks take, 25 ms at most
    … and more wait here for a place ────────────────────► sent when the first has waited as long as tasks take, 50 ms at most

A call costs worker and master as much as several reports, and what ends together is joined again: neighbours that have ended within one
gathering are one slice, in whatever order they did. A report waits only where enough others are expected meanwhile, so that the result of
a task that runs alone, or among a few, is reported as soon as it is there. Where more tasks wait for a place than there are places, each has
waited for its turn already, and what counts is how many end in a second: there fewer and larger calls are worth some milliseconds more.

While reports wait in this way, more tasks are asked for with them, once for each call of reports: both are one message, and one transaction of the
master. Unless what is in hand does not last so long: then more are asked for at once, and what waits to be reported goes with that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

from .children import Children
from .effects import MasterEffects
from .finish_call import FinishCall
from .task_durations import TaskDurations

GATHER_SECONDS_MAX: Final = 0.025  # that a report waits
GATHER_SECONDS_MIN: Final = 0.001  # a shorter wait is not worth a timer
GATHER_SHARE: Final = 0.4  # of what tasks take lately: so much longer a task seems to take
BUSY_SECONDS_MAX, BUSY_SHARE = 0.05, 1.0  # the same two where more tasks wait here for a place
GATHER_TASKS_MIN: Final = 8  # that are expected to end meanwhile; for fewer none waits
COME_SECONDS: Final = 0.025  # until tasks that are asked for are here


def gather_seconds(running: int, usual_seconds: float | None, *, is_busy: bool) -> float:
    """How long a report waits for others; 0: not at all. ``running``: tasks that run at a time. ``usual_seconds``: what they take lately;
    None: unknown. ``is_busy``: more wait here for a place."""
    if not usual_seconds:
        return 0.0
    wait = min(GATHER_SECONDS_MAX, GATHER_SHARE * usual_seconds)
    enough = running * wait >= GATHER_TASKS_MIN * usual_seconds
    if not enough or wait < GATHER_SECONDS_MIN:
        return 0.0
    return min(BUSY_SECONDS_MAX, BUSY_SHARE * usual_seconds) if is_busy else wait


class GatheredReports(Protocol):
    """An outbox, or those of several shards."""

    @property
    def has_call(self) -> bool: ...
    @property
    def has_call_under_way(self) -> bool: ...
    @property
    def is_full(self) -> bool: ...
    def take_call(self) -> FinishCall | None: ...


class ReportGathering:
    """``changed``: does what there is to do now, the agent's ``work``."""

    def __init__(
        self,
        outbox: GatheredReports,
        durations: TaskDurations,
        children: Children,
        master: MasterEffects,
        changed: Callable[[float], None],
    ) -> None:
        self._outbox, self._durations, self._children = outbox, durations, children
        self._master, self._changed = master, changed
        self._since: float | None = None  # when the first of the reports that wait came; None: none does
        self._is_timed = False  # it was asked for ``over``
        self._wait = 0.0  # so long the reports of the last call were to wait
        self._has_asked = False  # for tasks, since that call was made

    @property
    def is_waiting(self) -> bool:
        """Whether reports are there and wait for others."""
        return self._since is not None

    def send(self, now: float, *, at_once: bool, is_busy: bool) -> None:
        """Send what has ended, or have it wait. ``is_busy``: more tasks wait here for a place."""
        if not self._outbox.has_call:
            return
        left = 0.0 if at_once or self._outbox.is_full else self._seconds_left(now, is_busy=is_busy)
        if left <= 0:
            self._since, self._has_asked = None, False
            if (call := self._outbox.take_call()) is not None:
                self._master.finish(call)
        elif not self._is_timed:
            self._is_timed = True
            self._master.finish_later(left)

    def places_to_fill(self, startable: int) -> int:
        """For how many places tasks are asked for now. ``startable``: jobs that are in hand for those that become free. None as long as these
        last and reports wait, or are under way with what was asked for."""
        places = self._children.places
        usual, wait = self._durations.usual_seconds, self._wait
        is_later = self._since is not None or (self._has_asked and self._outbox.has_call_under_way)
        # As many are left as begin while those that are asked for come.
        if is_later and usual and wait and startable * usual >= places * min(wait, COME_SECONDS):
            return 0
        return places

    def asked(self, now: float, *, is_busy: bool) -> None:
        """More tasks were asked for. Where some were left, what waits to be reported goes with that; where none was, each end asks for one."""
        if is_busy and self.is_waiting:
            self.send(now, at_once=True, is_busy=True)
        self._has_asked = True

    def over(self, now: float) -> None:
        """The time is over for which reports were to wait."""
        self._is_timed = False
        if self._since is not None:
            # Whatever the clocks say: a wait that is over is not followed by one of no time.
            self._since = -math.inf
        self._changed(now)

    def _seconds_left(self, now: float, *, is_busy: bool) -> float:
        running = min(self._children.places, self._children.jobs_count)
        wait = self._wait = gather_seconds(running, self._durations.usual_seconds, is_busy=is_busy)
        if self._since is None:
            self._since = now
        return min(wait, self._since + wait - now)
