"""The jobs of a worker that no child process has. Pure.

::

    lease reply ─► waiting ─► take_alike ─► a child    (by way of parked, if it needs a unit of a resource that none has free)
                    ▲   └─ a suspect ─► announced ─► acknowledged ─► a child
                    └────── put_back: taken back from a child, or its announcement was lost

How much more is leased is decided in ``leasing.py``; what is too much for long is given back, so that no task waits here while another
worker is idle.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Set
from itertools import takewhile
from typing import Final

from .effects import MasterEffects
from .runs import JobQueue, JobRun, Key
from .task_durations import LONG_SECONDS, TaskDurations

PARKED_SECONDS: Final = 1.0  # then what waits for a resource that tasks of other shards hold is given back


class Backlog:
    """``durations``: the agent's own, which say how many tasks are worth holding."""

    def __init__(self, master: MasterEffects, durations: TaskDurations) -> None:
        self._master, self._durations = master, durations
        self.waiting = JobQueue()
        self.parked = JobQueue()  # they wait for a unit of a resource: see allotting.py
        self.claimed: dict[int, JobQueue] = {}  # what the task of a child waits for: see lending.py
        self.announced: dict[bytes, JobRun] = {}  # suspects whose start is announced, not yet acknowledged
        self.unanswered: dict[bytes, JobRun] = {}  # the same, of masters that do not answer: see leasing.py
        self._surplus_since: float | None = None
        self.gives_back_parked = False  # to other workers, when it has waited for long: see MasterSide.divide
        self._parked_since: float | None = None

    # Without what is claimed, which lent children run.
    def __len__(self) -> int:
        return self.startable + len(self.parked) + len(self.unanswered)

    @property
    def startable(self) -> int:
        """How many may start as soon as a child is free. Those that wait for a unit of a resource keep no slot from others."""
        return self._durations.calls_of(self.waiting) + len(self.announced)

    @property
    def runs(self) -> list[JobRun]:
        return [*self.waiting, *self.parked, *self._announced(), *self._claimed()]

    def connected(self, of_it: Callable[[bytes], bool]) -> None:
        """Calls of the last connection to this master are not answered any more: suspects are announced again. ``of_it``: whether a
        task is of this master."""
        unacknowledged = [run for run in self._announced() if of_it(run.id)]
        for run in unacknowledged:
            self.take_announced(run.id)
        self.put_back(unacknowledged)

    def take_announced(self, id: bytes) -> JobRun | None:
        return self.announced.pop(id, None) or self.unanswered.pop(id, None)

    def give_up_announced(self, ids: Set[bytes]) -> set[bytes]:
        """What these wait for does not come: no child is kept free for them. They run when it comes after all. Returns the others."""
        for id in ids & self.announced.keys():
            # Kept and not announced elsewhere: it is this master's task, and no other one may charge it.
            self.unanswered[id] = self.announced.pop(id)
        return set(self.announced)

    def _announced(self) -> list[JobRun]:
        return [*self.announced.values(), *self.unanswered.values()]

    def put(self, runs: list[JobRun]) -> None:
        """What was granted. What holds permits of limits goes before what does not: another worker may wait for the permit."""
        permitted = [run for run in runs if run.is_permitted]
        if permitted:
            before = sum(map(len, takewhile(lambda run: run.is_permitted, self.waiting)))
            # Behind those that came earlier, so that each of them comes to its turn.
            self.waiting.put_first(self.waiting.take_first(before) + permitted)
            runs = [run for run in runs if not run.is_permitted]
        self.waiting.put(runs)

    def put_back(self, runs: list[JobRun]) -> None:
        """They were granted before those that wait, so they run before them."""
        self.waiting.put_first(runs)

    def announce(self, queue: JobQueue | None = None, *, is_here: bool = True) -> None:
        """The first job of ``queue``, or of those that wait, is a suspect: its start is announced, and it runs when the master has acknowledged that. If it
        takes this process down too, the master knows which task to charge. ``is_here``: its master is there; else it is announced when it is back."""
        [suspect] = (self.waiting if queue is None else queue).take_first(1)
        (self.announced if is_here else self.unanswered)[suspect.id] = suspect
        if is_here:
            self._master.starting([suspect.id])

    def take(self, key: Key) -> list[JobRun]:
        """Remove this attempt."""
        return self.drop({key})

    def take_all(self) -> list[JobRun]:
        runs = self.waiting.take_all() + self.parked.take_all()
        runs += [*self._announced(), *self._claimed()]
        self.announced.clear()
        self.unanswered.clear()
        self.claimed.clear()
        return runs

    def drop(self, lost: Container[Key]) -> list[JobRun]:
        """Remove these attempts."""
        announced = [run for run in self._announced() if (run.id, run.attempt) in lost]
        for run in announced:
            self.take_announced(run.id)
        claimed = [run for queue in self.claimed.values() for run in queue.take_of(lost)]
        return self.waiting.take_of(lost) + self.parked.take_of(lost) + announced + claimed

    def unclaim(self, child: int) -> None:
        """The task of this child waits no longer: what was claimed for it is as any other."""
        queue = self.claimed.pop(child, None)
        if queue is not None:
            self.put_back(queue.take_all())

    def _claimed(self) -> Iterator[JobRun]:
        return (run for queue in self.claimed.values() for run in queue)

    def take_surplus(self, slots: int, jobs_of_children: int, connected: bool, now: float) -> list[JobRun]:
        """What waits here longer than it should while other workers might be idle: the last ones granted."""
        parked = self._take_parked(now) if self.gives_back_parked and connected else []
        in_hand = self.startable + jobs_of_children
        surplus = min(self._durations.calls_of(self.waiting), in_hand - self._durations.prefetch(slots))
        if surplus <= 0:
            self._surplus_since = None
        elif self._surplus_since is None:
            self._surplus_since = now
        # Not at the first look: most surplus is gone a moment later, and a release would lease it to the same worker again.
        elif now - self._surplus_since >= LONG_SECONDS and connected:
            self._surplus_since = None
            return parked + self.waiting.take_last(self._durations.jobs_of(self.waiting, surplus))
        return parked

    def _take_parked(self, now: float) -> list[JobRun]:
        if not self.parked:
            self._parked_since = None
        elif self._parked_since is None:
            self._parked_since = now
        elif now - self._parked_since >= PARKED_SECONDS:
            self._parked_since = None
            return self.parked.take_all()
        return []
