"""Which task gets which units of the worker's resources: see ``common/domain/indexes.py``. Pure.

::

    waiting ─► a child is free for it ─┬─ its units are free ─► sent with their names ─► ended, or its child has died: given back
                                       └─ not all of them ────► parked, and those behind it that need some as well

The master counts amounts, and gives no worker more than it has. Here it may not fit all the same: two halves are free on two units, a
task was given up and still runs, a lease was lost and its task goes on. What has units has them until it does not run any more. All pools of a worker
share them: what has ended in one is given back when another one needs it.

Jobs that run as one call (``coalesce=``) have their units together, as many as all of them need; if so many are not free in this form,
fewer run as one.

Invariants: 1. a job with such needs is sent by itself, or with those that it is one call with, and to a child that runs it at once;
2. what is held is of jobs that children have, or that were given up in a child that lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ...common.domain.indexes import Given, Indexes
from .backlog import Backlog
from .children import Children
from .concurrent_child import ConcurrentChild
from .effects import ChildState
from .runs import JobQueue, JobRun


class _Held(NamedTuple):
    given: Given
    child: int
    ordinals: range  # of the jobs that have it: more than one where they run as one call


class Allotting:
    """Sends jobs to children, with what they are given. ``look``: called when units are free that tasks of this pool wait for."""

    def __init__(
        self, indexes: Indexes, children: Children, backlog: Backlog, look: Callable[[float], None]
    ) -> None:
        self._indexes, self._children, self._backlog, self.look = indexes, children, backlog, look
        indexes.join(self)
        self._held: list[_Held] = []
        self._had: dict[int, Given] = {}  # what the last such job in each child was given

    def received(self, runs: list[JobRun]) -> list[JobRun]:
        """What was leased. Of needs, only those stay that are distinguished."""
        for run in runs:
            if run.needs and not self._indexes.concern(run.needs):
                run.needs = ()
        return runs

    def send_first(self, child: ChildState, queue: JobQueue, now: float) -> bool:
        """Send this child what is in front of a queue. False: it has to wait for others to end, and is as it was."""
        run = queue.first
        if not run.needs:
            self._children.send_alike(child, queue, now)
            return True
        runs = self._children.take_together(queue)
        count = sum(map(len, runs))
        given = self._take(child, run, count)
        while given is None and count > 1:
            count -= 1
            given = self._take(child, run, count)
        if given is None:
            queue.put_first(runs)
            return False
        some = JobQueue(runs)
        self._send(child, some.take_first(count), given, now)
        queue.put_first(some.take_all())
        return True

    def send(self, child: ChildState, one: JobRun, now: float) -> bool:
        """The same of one job."""
        given = self._take(child, one, 1)
        if given is None:
            return False
        self._send(child, [one], given, now)
        return True

    def _take(self, child: ChildState, run: JobRun, jobs: int) -> Given | None:
        """What so many jobs like this one are given together."""
        # Lazily, when units are needed: an end of a job costs nothing here.
        self._indexes.reclaim()
        needs = [(name, amount * jobs) for name, amount in run.needs]
        # The units that this child had last, if they are free: a GPU's memory may still hold its model.
        return self._indexes.take(needs, self._had.get(child.number, ()))

    def _send(self, child: ChildState, runs: list[JobRun], given: Given, now: float) -> None:
        first = runs[0]
        first.given = self._indexes.named(given) or None
        if first.suspect:
            self._children.send_suspect(child, first, now)
        else:
            self._children.send(child, runs, now)
        if given:
            self._held.append(_Held(given, child.number, range(first.ordinal, runs[-1].end)))
            self._had[child.number] = given

    def park(self) -> None:
        """The first one that waits does not fit, or another that came before it waits for units as well."""
        self._backlog.parked.put(self._backlog.waiting.take_first(1))

    def assign_parked(self, now: float) -> None:
        """Send those that have waited for units and may have them now, in their order."""
        parked = self._backlog.parked
        if parked:
            self._indexes.reclaim()
        while parked:
            child = self._children.free_for(parked.first, reserved=len(self._backlog.announced))
            if parked.first.suspect:  # it is announced once more
                if not self._indexes.fits(parked.first.needs):
                    return
                self._backlog.waiting.put_first(parked.take_first(1))
            elif child is None or not self.send_first(child, parked, now):
                return

    @property
    def waits(self) -> bool:
        return bool(self._backlog.parked or self._backlog.claimed)

    def offer(self, now: float) -> None:
        """What may have ended here, to tasks of other pools that wait for it."""
        self._indexes.offer(self, now)

    def return_ended(self) -> bool:
        """Give back what jobs had that have ended. Whether there was any."""
        if not self._held:
            return False
        held: list[_Held] = []
        for one in self._held:
            if self._is_running(one):
                held.append(one)
            else:
                self._indexes.give_back(one.given)
        has_returned = len(held) < len(self._held)
        self._held = held
        # Of children that are gone, seldom: not at each end.
        if len(self._had) > 2 * len(self._children):
            self._had = {number: had for number, had in self._had.items() if number in self._children}
        return has_returned

    def _is_running(self, one: _Held) -> bool:
        child = self._children.get(one.child)
        if child is None:
            return False
        # It still runs, so it still has its units.
        given_up = child.given_up if isinstance(child, ConcurrentChild) else ()
        return any(ordinal in given_up or child.jobs.job(ordinal) is not None for ordinal in one.ordinals)

    @property
    def held(self) -> Iterable[Given]:
        """What is given now."""
        return (one.given for one in self._held)
