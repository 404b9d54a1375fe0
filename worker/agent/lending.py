"""Tasks that wait for other tasks inside themselves lend their slot: which children run what they wait for. Pure.

::

    a child waits ─► Sleeper ─┬► claimed from the backlog ──────┬─► a lent child that has nothing to run
                              └► lend: leased at the master ────┘   or one that is started for it
    all lent children there may be are used, and what it waits for is ready ─► WouldDeadlock

What a waiting task waits for, the master knows: the tasks that it names, and what these need before they can run. A task that waits in
a lent child lends the same slot once more. The last one that began to wait comes first, so that a task that waits for many of
which each waits for others needs as many lent children as they are deep, and not as many as they are. A task that is woken
goes on at once; what runs for it in a lent child ends there.

Invariants: 1. a lent child is sent a job only while fewer lent children run something than tasks wait; 2. it is sent only what a
waiting task waits for; 3. of the tasks that wait, only the last one is refused, and only when what it waits for is ready and has found
no slot for BOUND_SECONDS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import show_id
from .allotting import Allotting
from .backlog import Backlog
from .children import Children
from .concurrent_child import ConcurrentChild
from .effects import ChildEffects, ChildState, LentEffects, MasterEffects
from .jobs import Job
from .place_waits import PlaceWaits
from .returns import Returns
from .runs import JobQueue, JobRun, granted_runs
from .task_durations import TaskDurations

# So long a task waits for what is not ready before it is the turn of one that waited before it
TURN_SECONDS: Final = 1.0
# What is waited for is ready so long, and no slot is left for it: the wait is refused
BOUND_SECONDS: Final = 0.4
AT_ONCE_SECONDS: Final = 0.2  # an answer that comes sooner was not waited for
# A lent child without a job is kept so long: the next wait needs none to be started
IDLE_SECONDS: Final = 5.0


@dataclass(slots=True, eq=False)
class Sleeper:
    """A child whose task waits. ``waits``: what for, by the number of each wait: threads of a task may wait at the same time."""

    child: ChildState
    job: Job
    since: float  # when it began to wait, or last got something to run
    waits: dict[int, list[IdRun]] = field(default_factory=dict)
    token: int = 0  # of the call at the master; 0: none
    asked_at: float = 0.0
    is_look: bool = False  # that call leases nothing: it asks whether something is ready
    ready_at: float | None = None  # since when something is known to be ready that no child may run

    @property
    def runs(self) -> list[IdRun]:
        return [run for runs in self.waits.values() for run in runs]


class Lending:
    """``most``: lent children at a time. ``changed``: does what there is to do now, the agent's ``work``."""

    def __init__(
        self,
        effects: tuple[ChildEffects, LentEffects, MasterEffects],
        children: Children,
        backlog: Backlog,
        durations: TaskDurations,
        returns: Returns,
        allotting: Allotting,
        most: int,
        changed: Callable[[float], None],
    ) -> None:
        self._runners, self._effects, self._master = effects
        self._children, self._backlog = children, backlog
        self._durations, self._returns, self._allotting = durations, returns, allotting
        self._most, self._changed = most, changed
        self.sleepers: dict[int, Sleeper] = {}  # by the number of the child, the last one at the end
        self._starting = 0
        self._tokens = count(1)
        self._in_place = PlaceWaits(self._effects, self._master, self._tokens)

    # what is known of children

    @property
    def slots_lent(self) -> int:
        """Slots whose own child waits."""
        return sum(not one.child.is_lent for one in self.sleepers.values())

    @property
    def keeps_children(self) -> bool:
        """Whether there are lent children that a tick may end."""
        return self._starting > 0 or any(child.is_lent and child.ready for child in self._children.values())

    @property
    def idle(self) -> ChildState | None:
        """A lent child that may be sent something."""
        used_up = self._children.is_used_up
        return next((one for one in self._lent() if one.ready and not one.jobs and not used_up(one)), None)

    def _lent(self) -> Iterable[ChildState]:
        return (child for child in self._children.values() if child.is_lent)

    @property
    def has_room(self) -> bool:
        """Whether another lent child may run something."""
        busy = sum(bool(child.jobs) and not child.is_asleep for child in self._lent())
        return busy < len(self.sleepers)

    @property
    def is_at_bound(self) -> bool:
        """Whether no lent child is left to be sent something, nor started."""
        lent = sum(child.ready for child in self._lent()) + self._starting
        return not self._starting and self.idle is None and lent >= self._most

    # events

    def waits(self, number: int, wait: int, ordinal: int, runs: list[IdRun], now: float) -> bool:
        """The task of this ordinal, in this child, waits for others. False: it is over."""
        child = self._children.get(number)
        job = None if child is None else child.jobs.job(ordinal)
        if child is None or job is None:
            return False
        if isinstance(child, ConcurrentChild):
            most = max(self._most, child.places - 1)
            if why := child.wait_in_place(job, wait, most):
                self._effects.refuse_wait(number, wait, why)
            else:
                self._in_place.begin(number, job, wait, runs, connected=self._returns.is_connected)
            self._changed(now)
            return True
        sleeper = self.sleepers.get(child.number)
        if sleeper is None:
            sleeper = self.sleepers[child.number] = Sleeper(child, job, now)
            child.is_asleep = True
            # Jobs behind the one that waits would wait with it.
            self._returns.take_back(child)
        sleeper.waits[wait] = runs
        sleeper.token, sleeper.since, sleeper.ready_at = 0, now, None  # it is asked for again, with these
        self._changed(now)
        return True

    def woke(self, number: int, wait: int, now: float) -> None:
        """It waits no longer for what this wait was for."""
        child = self._children.get(number)
        if isinstance(child, ConcurrentChild):
            self._in_place.woke(number, wait)
            return child.woke(wait)
        sleeper = self.sleepers.get(number)
        if sleeper is not None and sleeper.waits.pop(wait, None) is not None and not sleeper.waits:
            self.forget(sleeper.child)
            self._changed(now)
        return None

    def job_ended(self, child: ChildState) -> None:
        """Jobs of this child are over: what a thread that one of them has left behind waits for lends no slot."""
        sleeper = self.sleepers.get(child.number)
        if sleeper is not None and child.jobs.job(sleeper.job.ordinal) is None:
            self.forget(child)

    def forget(self, child: ChildState) -> None:
        """Its task goes on, or has ended in some way."""
        self._in_place.forget(child.number)
        sleeper = self.sleepers.pop(child.number, None)
        if sleeper is None:
            return
        child.is_asleep = False
        if sleeper.asked_at:
            # Answers its call: otherwise it would be leased tasks that it does not wait for.
            self._master.lend(0, sleeper.job.id, [], 0)
        self._backlog.unclaim(child.number)
        for lent in list(self._lent()):
            if (
                len(lent.jobs) > 1
            ):  # the slot is used by the task that goes on: what lent children have not begun is
                self._returns.take_back(lent)  # as any other

    def not_started(self, now: float) -> None:
        """A lent child could not be started, or died before it was ready. It may be tried again now."""
        self._starting = max(0, self._starting - 1)
        self._changed(now)

    def ready(self, child: ChildState, now: float) -> None:
        self._starting = max(0, self._starting - 1)
        child.ended = now

    def connected(self) -> None:
        """Calls of the connection before this one are not answered."""
        for sleeper in self.sleepers.values():
            sleeper.token = 0
        self._in_place.connected()

    def lent(self, token: int, lease: bytes, groups: list[list[Any]], now: float) -> None:
        """A call was answered: with what was leased, or, if it was a look, because something is ready."""
        runs = self._allotting.received(granted_runs(lease, groups))
        # By token: an answer to a call of an earlier wait is not taken for that of this one.
        sleeper = next((one for one in self.sleepers.values() if one.token == token), None)
        if sleeper is not None:
            sleeper.token = 0
            self._answered(sleeper, runs, now)
        elif self._returns.is_draining:
            self._returns.release(runs)
        else:  # the task waits no longer
            self._backlog.waiting.put(runs)
        self._changed(now)

    def refused(self, token: int, why: str, now: float) -> None:
        """The master does not take a call: what it says is the end of the wait."""
        self._in_place.refused(token, why)
        sleeper = next((one for one in self.sleepers.values() if one.token == token), None)
        if sleeper is not None:
            self._end_waits(sleeper, why)
            self._changed(now)

    def _answered(self, sleeper: Sleeper, runs: list[JobRun], now: float) -> None:
        if runs:
            sleeper.since, sleeper.ready_at = now, None
            self._backlog.claimed.setdefault(sleeper.child.number, JobQueue()).put(runs)
        # It became ready while the call was parked: it may still find a slot.
        elif sleeper.ready_at is None or now - sleeper.asked_at > AT_ONCE_SECONDS:
            sleeper.ready_at = now
        elif now - sleeper.ready_at >= BOUND_SECONDS:
            self._refuse(sleeper)

    # what is done

    def work(self, now: float, *, connected: bool) -> None:
        """Send what is waited for to lent children, start one, ask the master for more."""
        # The last one first, see the module's docstring. A list: sending may end a wait.
        for sleeper in list(reversed(self.sleepers.values())):
            # Invariant 1: another one running would be more than the slots that are lent.
            if not self.has_room:
                return
            queue = self._claimed(sleeper)
            while queue and self.has_room and self._send(sleeper, queue, now, connected=connected):
                sleeper.since, sleeper.ready_at = now, None
            if self._is_refused(sleeper, now):
                self._refuse(sleeper)
                return
            if not queue and connected and self.has_room:
                self._have_call(sleeper, now)
            is_served = queue or self._starting or self.is_at_bound
            if is_served or now - max(sleeper.since, sleeper.asked_at) < TURN_SECONDS:
                return

    def end_idle(self, now: float) -> None:
        """Have lent children end that had nothing to run for long."""
        for child in list(self._lent()):
            if child.ready and not child.jobs and now - child.ended >= IDLE_SECONDS:
                # Before the order to end: no job may be sent to it in between.
                child.ready = False
                self._runners.retire(child.number)

    def _claimed(self, sleeper: Sleeper) -> JobQueue:
        # What was read ahead may be the very task: then the master need not be asked.
        queue = self._backlog.claimed.setdefault(sleeper.child.number, JobQueue())
        if self._backlog.waiting and (found := self._backlog.waiting.take_within(sleeper.runs)):
            queue.put(found)
        return queue

    def _send(self, sleeper: Sleeper, queue: JobQueue, now: float, *, connected: bool) -> bool:
        """Whether something of this queue is sent to a child, or will be when the master has answered."""
        child, run = self.idle, queue.first
        if child is None:
            # One at a time: it may be that a single one is enough for all that waits.
            if not self._starting and not self.is_at_bound:
                self._starting += 1
                self._effects.start_lent()
            return False
        if not run.suspect:
            return self._allotting.send_first(child, queue, now)
        if connected:
            self._backlog.announce(queue)
        return False

    def _have_call(self, sleeper: Sleeper, now: float) -> None:
        """Have one call at the master: for what is waited for, or, where it could not be run, to know whether it is ready."""
        is_look = self.is_at_bound
        is_due = sleeper.ready_at is None or now - sleeper.ready_at >= BOUND_SECONDS
        if (sleeper.token and sleeper.is_look == is_look) or (is_look and not is_due):
            return
        sleeper.token, sleeper.asked_at, sleeper.is_look = next(self._tokens), now, is_look
        want = 0 if is_look else self._durations.prefetch(1)
        self._master.lend(sleeper.token, sleeper.job.id, sleeper.runs, want)

    def _is_refused(self, sleeper: Sleeper, now: float) -> bool:
        """What it waits for is in hand here, and has found no child for long."""
        if not self._backlog.claimed.get(sleeper.child.number) or not self.is_at_bound:
            return False
        if sleeper.ready_at is None:
            sleeper.ready_at = now
        return now - sleeper.ready_at >= BOUND_SECONDS

    def _refuse(self, sleeper: Sleeper) -> None:
        first = sleeper.runs[0]
        others = (
            f" and {sum(run.length for run in sleeper.runs) - 1:,} others"
            if len(sleeper.runs) > 1 or first.length > 1
            else ""
        )
        waiting = len(self.sleepers)
        why = (
            f"task {show_id(sleeper.job.id)} waits for {show_id(first.first)}{others}, which waits for a slot that this task holds: "
            f"{waiting:,} {'task waits' if waiting == 1 else 'tasks wait'} in this worker, and it has started as many processes "
            f"for what they wait for as it may ({self._most:,}). Return the handle, or give it to "
            "the task that needs the result, as an argument; or start the worker with more --slots or --lent-children"
        )
        self._end_waits(sleeper, why)

    def _end_waits(self, sleeper: Sleeper, why: str) -> None:
        for wait in sleeper.waits:
            self._effects.refuse_wait(sleeper.child.number, wait, why)
        self.forget(sleeper.child)
