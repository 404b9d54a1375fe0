"""Whether reports that wait are sent now, or wait a little for others that are about to end. Pure.

::

    few tasks run at a time ─────────────────────────────► sent at once
    many do, and some of them end in that short a time ──► sent when the first has waited two fifths of what tasks take, 25 ms at most

A call costs worker and master as much as several reports, and what ends together is joined again: neighbours that have ended within one
gathering are one slice, in whatever order they did. A report waits only where enough others are expected meanwhile, so that the result of
a task that runs alone, or among a few, is reported as soon as it is there.

While reports wait in this way, more tasks are asked for with them, once for each call of reports: both are one message, and one transaction of the
master. Unless what is in hand does not last so long: then at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from .children import Children
from .effects import MasterEffects
from .finish_call import FinishCall
from .task_durations import TaskDurations

GATHER_SECONDS_MAX: Final = 0.025  # that a report waits
GATHER_SECONDS_MIN: Final = 0.001  # a shorter wait is not worth a timer
GATHER_SHARE: Final = 0.4  # of what tasks take lately: so much longer a task seems to take
GATHER_TASKS_MIN: Final = 8  # that are expected to end meanwhile; for fewer none waits
COME_SECONDS: Final = 0.01  # until tasks that are asked for are here


def gather_seconds(running: int, usual_seconds: float | None) -> float:
    """How long a report waits for others; 0: not at all. ``running``: tasks that run at a time. ``usual_seconds``: what they take lately;
    None: unknown."""
    if not usual_seconds:
        return 0.0
    wait = min(GATHER_SECONDS_MAX, GATHER_SHARE * usual_seconds)
    enough = running * wait >= GATHER_TASKS_MIN * usual_seconds
    return wait if enough and wait >= GATHER_SECONDS_MIN else 0.0


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
        self._until: float | None = (
            None  # the moment up to which the reports that are there wait; None: there are none
        )
        self._is_timed = False  # it was asked for ``over``
        self._wait = 0.0  # so long the reports of the last call were to wait
        self._has_asked = False  # for tasks, since that call was made

    @property
    def is_waiting(self) -> bool:
        """Whether reports are there and wait for others."""
        return self._until is not None

    def send(self, now: float, *, at_once: bool) -> None:
        """Send what has ended, or have it wait."""
        if not self._outbox.has_call:
            return
        left = 0.0 if at_once or self._outbox.is_full else self._seconds_left(now)
        if left <= 0:
            self._until, self._has_asked = None, False
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
        is_later = self._until is not None or (self._has_asked and self._outbox.has_call_under_way)
        # As many are left as begin while those that are asked for come.
        if is_later and usual and wait and startable * usual >= places * min(wait, COME_SECONDS):
            return 0
        self._has_asked = True
        return places

    def over(self, now: float) -> None:
        """The time is over for which reports were to wait."""
        self._is_timed = False
        if self._until is not None:
            self._until = (
                now  # whatever the clocks say: a wait that is over is not followed by one of no time
            )
        self._changed(now)

    def _seconds_left(self, now: float) -> float:
        running = min(self._children.places, self._children.jobs_count)
        wait = self._wait = gather_seconds(running, self._durations.usual_seconds)
        if self._until is None:
            self._until = now + wait
        return min(wait, self._until - now)
