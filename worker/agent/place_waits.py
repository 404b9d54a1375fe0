"""Jobs that wait for other tasks in the midst of others of their child: the master is asked whether that can ever end. Pure.

::

    a job waits in its place ─► lend, of nothing ─┬► something of it is ready: a free place gets it
                                                  └► refused: it waits for a permit that it holds itself ─► WouldDeadlock

Meanwhile another job may run in its place, so nothing is leased for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ...common.domain.id_runs import IdRun
from .effects import LentEffects, MasterEffects
from .jobs import Job


@dataclass(slots=True, eq=False)
class PlaceWait:
    """A job that waits. ``waits``: what for, by the number of each wait: threads of a job may wait at the same time."""

    child: int
    job: Job
    waits: dict[int, list[IdRun]] = field(default_factory=dict)
    token: int = 0  # of the call at the master; 0: none


class PlaceWaits:
    def __init__(self, effects: LentEffects, master: MasterEffects, tokens: Iterator[int]) -> None:
        self._effects, self._master, self._tokens = effects, master, tokens
        self._by_wait: dict[tuple[int, int], PlaceWait] = {}  # by the child and the number of the wait

    def begin(self, child: int, job: Job, wait: int, runs: list[IdRun], *, connected: bool) -> None:
        waiting = next(
            (one for one in self._all() if (one.child, one.job.ordinal) == (child, job.ordinal)), None
        )
        waiting = waiting or PlaceWait(child, job)
        waiting.waits[wait] = runs
        self._by_wait[child, wait] = waiting
        if connected:
            self._look(waiting)

    def woke(self, child: int, wait: int) -> None:
        """It waits no longer for what this wait was for."""
        waiting = self._by_wait.pop((child, wait), None)
        if waiting is None:
            return
        del waiting.waits[wait]
        if not waiting.waits:
            self._master.lend(0, waiting.job.id, [], 0)

    def forget(self, child: int) -> None:
        """It has died: the master knows by the end of its jobs that they wait no longer."""
        for key in [key for key in self._by_wait if key[0] == child]:
            del self._by_wait[key]

    def connected(self) -> None:
        """Calls of the connection before this one are not answered."""
        for waiting in self._all():
            self._look(waiting)

    def refused(self, token: int, why: str) -> None:
        for waiting in [one for one in self._all() if one.token == token]:
            for wait in list(waiting.waits):
                self._effects.refuse_wait(waiting.child, wait, why)
                del self._by_wait[waiting.child, wait]

    def _look(self, waiting: PlaceWait) -> None:
        # Another token for each look: what the master answers to an earlier one is about fewer waits.
        waiting.token = next(self._tokens)
        runs = [run for some in waiting.waits.values() for run in some]
        self._master.lend(waiting.token, waiting.job.id, runs, 0)

    def _all(self) -> list[PlaceWait]:
        return list(dict.fromkeys(self._by_wait.values()))
