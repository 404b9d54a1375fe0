"""Tasks that wait for others inside themselves, as their workers answer them; mirrors ``worker/supervisor/waits.py``.

::

    N1  no more lent children run something than children of their worker wait
    N2  a lent child is sent only what a waiting task waits for, or what this needs in turn
    N3  a wait is refused only when as many lent children are there as there may be; of many jobs in one process, as many as may wait;
        or when it would have no end
    N4  a worker that is connected awaits no answer for a waiting task from a connection that is over
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from tq.common.domain.id_runs import runs_of
from tq.worker.agent.concurrent_child import ConcurrentChild as KnownConcurrent
from tq.worker.agent.jobs import Job
from tq.worker.agent.runs import JobRun

from .instants import Wrong
from .world import MS

if TYPE_CHECKING:
    from .caller import Connection
    from .children import Child
    from .worker import Worker


STUCK: Final = "none of them would ever"  # in what the master says of a wait that would have no end


class Wait(NamedTuple):
    ordinal: int
    ids: list[bytes]


class Waits:
    """Of the children of one worker. ``most``: lent children at a time."""

    def __init__(self, worker: Worker, most: int) -> None:
        self._worker, self._most = worker, most
        self._numbers = count(1)
        self._open: dict[tuple[Child, int], Wait] = {}
        self._asked: dict[
            int, Connection | None
        ] = {}  # by the token of a call: over which connection it went

    # what children say

    def begin(self, child: Child, job: Job, ids: list[bytes]) -> int:
        number = next(self._numbers)
        child.say(lambda: self._begin(child, number, Wait(job.ordinal, ids)))
        return number

    def _begin(self, child: Child, number: int, wait: Wait) -> None:
        if child.number not in self._worker.agent.children:
            return  # it is dead
        self._open[child, number] = wait
        runs = list(runs_of(wait.ids))
        if not self._worker.agent.lending.waits(
            child.number, number, wait.ordinal, runs, self._worker.seconds
        ):
            del self._open[child, number]

    def end(self, child: Child, number: int) -> None:
        child.say(lambda: self._end(child, number))

    def _end(self, child: Child, number: int) -> None:
        self._worker.agent.lending.woke(child.number, number, self._worker.seconds)
        self._open.pop((child, number), None)

    # what becomes of them

    def over(self, child: Child) -> None:
        """Jobs of this child have been reported: what they waited for is no wait any more."""
        known = self._worker.agent.children.get(child.number)
        for key in [key for key in self._open if key[0] is child]:
            if known is None or known.jobs.job(self._open[key].ordinal) is None:
                del self._open[key]

    def refuse(self, child: Child, number: int, *, is_stuck: bool) -> None:
        """``is_stuck``: it would have no end."""
        wait = self._open.pop((child, number), None)
        if wait is None:
            return
        known = self._worker.agent.children[child.number]
        if is_stuck:
            pass
        elif isinstance(known, KnownConcurrent):
            waiting = {one.ordinal for (other, _), one in self._open.items() if other is child}
            if len(waiting) < max(self._most, known.places - 1):
                raise Wrong("N3", f"a wait was refused where {len(waiting)} others wait", None)
        elif sum(one.is_lent for one in self._worker.children.values()) < self._most:
            raise Wrong("N3", "a wait was refused, and another lent child could be started", None)
        child.refused(wait.ordinal, number)

    def asked(self, token: int) -> None:
        """The master is asked for what a task waits for."""
        self._asked[token] = self._worker.connection

    def judge_asked(self) -> None:
        """The worker is connected, and has announced itself."""
        for sleeper in self._worker.agent.lending.sleepers.values():
            if sleeper.token and self._asked[sleeper.token] is not self._worker.connection:
                raise Wrong(
                    "N4", "its worker awaits what a connection that is over was asked", sleeper.job.id
                )

    def judge_sent(self, child: Child, runs: list[JobRun]) -> None:
        """Before it arrives there."""
        children = self._worker.agent.children
        busy = sum(one.is_lent and bool(one.jobs) and not one.is_asleep for one in children.values())
        waiting = len({other for other, _ in self._open})
        if busy > waiting:
            raise Wrong("N1", f"{busy} lent children run something, and {waiting} tasks wait", None)
        awaited = self._worker.oracle.awaited(id for wait in self._open.values() for id in wait.ids)
        for run in runs:
            for job in run.jobs():
                if job.id not in awaited:
                    raise Wrong("N2", "a lent child was sent what no task waits for", job.id)

    # their children

    def start_lent(self) -> None:
        """Now and then the system gives no process."""
        worker = self._worker
        if worker.world.chance(0.1):
            self.not_started()
        else:
            worker.start_child(is_lent=True)

    def not_started(self) -> None:
        worker = self._worker
        worker.process.later(50 * MS, lambda: worker.agent.lending.not_started(worker.seconds))
