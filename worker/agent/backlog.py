"""The jobs of a worker that no child process has, and how many more are asked for. Pure.

::

    lease reply ─► waiting ─► take_alike ─► a child    (by way of parked, if it needs a unit of a resource that none has free)
                    ▲   └─ a suspect ─► announced ─► acknowledged ─► a child
                    └────── put_back: taken back from a child, or its announcement was lost

More is leased as long as less is in hand than the prefetch of ``task_durations.py``; what is too much for long is given
back, so that no task waits here while another worker is idle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from typing import Final

from .effects import MasterEffects
from .runs import JobQueue, JobRun, Key
from .task_durations import LONG_SECONDS, TaskDurations

LEASE_CALLS_MAX: Final = 2  # outstanding: one is answered while the other is parked at the master


class Backlog:
    """``durations``: the agent's own, which say how many tasks are worth holding."""

    def __init__(self, master: MasterEffects, durations: TaskDurations) -> None:
        self._master, self._durations = master, durations
        self.waiting = JobQueue()
        self.parked = JobQueue()  # they wait for a unit of a resource: see allotting.py
        self.claimed: dict[int, JobQueue] = {}  # what the task of a child waits for: see lending.py
        self.announced: dict[bytes, JobRun] = {}  # suspects whose start is announced, not yet acknowledged
        self._lease_calls: deque[int] = deque()  # how many tasks each outstanding call asked for
        self._surplus_since: float | None = None

    # Without what is claimed, which lent children run.
    def __len__(self) -> int:
        return self.startable + len(self.parked)

    @property
    def startable(self) -> int:
        """How many may start as soon as a child is free. Those that wait for a unit of a resource keep no slot from others."""
        return self._durations.calls_of(self.waiting) + len(self.announced)

    @property
    def runs(self) -> list[JobRun]:
        return [*self.waiting, *self.parked, *self.announced.values(), *self._claimed()]

    def connected(self) -> None:
        """Calls of the last connection are not answered any more: suspects are announced again."""
        self._lease_calls.clear()
        unacknowledged, self.announced = self.announced, {}
        self.put_back(list(unacknowledged.values()))

    def lease_answered(self) -> None:
        if self._lease_calls:  # none: the answer belongs to the connection before this one
            self._lease_calls.popleft()

    def put_back(self, runs: list[JobRun]) -> None:
        """They were granted before those that wait, so they run before them."""
        self.waiting.put_first(runs)

    def announce(self, queue: JobQueue | None = None) -> None:
        """The first job of ``queue``, or of those that wait, is a suspect: its start is announced, and it runs when the master has acknowledged that. If it
        takes this process down too, the master knows which task to charge."""
        [suspect] = (self.waiting if queue is None else queue).take_first(1)
        self.announced[suspect.id] = suspect
        self._master.starting([suspect.id])

    def take(self, key: Key) -> list[JobRun]:
        """Remove this attempt."""
        return self.drop({key})

    def take_all(self) -> list[JobRun]:
        runs = self.waiting.take_all() + self.parked.take_all()
        runs += [*self.announced.values(), *self._claimed()]
        self.announced.clear()
        self.claimed.clear()
        return runs

    def drop(self, lost: Container[Key]) -> list[JobRun]:
        """Remove these attempts."""
        announced = [run for run in self.announced.values() if (run.id, run.attempt) in lost]
        for run in announced:
            del self.announced[run.id]
        claimed = [run for queue in self.claimed.values() for run in queue.take_of(lost)]
        return self.waiting.take_of(lost) + self.parked.take_of(lost) + announced + claimed

    def unclaim(self, child: int) -> None:
        """The task of this child waits no longer: what was claimed for it is as any other."""
        queue = self.claimed.pop(child, None)
        if queue is not None:
            self.put_back(queue.take_all())

    def _claimed(self) -> Iterator[JobRun]:
        return (run for queue in self.claimed.values() for run in queue)

    def lease_more(self, children: int, jobs_of_children: int) -> None:
        """Ask for as many tasks as are missing. ``children``: how many are ready to run something."""
        target = self._durations.prefetch(children)
        missing = target - self.startable - jobs_of_children - sum(self._lease_calls)
        calls = LEASE_CALLS_MAX if target > 4 * children else 1
        share = max(1, target // calls)
        while missing > 0 and len(self._lease_calls) < calls:
            want = min(missing, share)
            if want < share // 2 and self._lease_calls:
                return  # not worth a call yet
            self._lease_calls.append(want)
            self._master.lease(want)
            missing -= want

    def take_surplus(self, slots: int, jobs_of_children: int, connected: bool, now: float) -> list[JobRun]:
        """What waits here longer than it should while other workers might be idle: the last ones granted."""
        in_hand = self.startable + jobs_of_children
        surplus = min(self._durations.calls_of(self.waiting), in_hand - self._durations.prefetch(slots))
        if surplus <= 0:
            self._surplus_since = None
        elif self._surplus_since is None:
            self._surplus_since = now
        elif now - self._surplus_since >= LONG_SECONDS and connected:
            self._surplus_since = None
            return self.waiting.take_last(self._durations.jobs_of(self.waiting, surplus))
        return []
