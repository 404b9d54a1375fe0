"""What a worker decides: which job a child gets, when a job is ended, what is reported to the master. Pure.

::

    granted ─► Backlog ─► a child of Children ─► reported ─► Outbox ─► finish ─► acknowledged
                  ▲            │   ▲ Watchdog: limits            ▲
                  └────────────┘   child died: CRASH ────────────┘
                  taken back, left

Events are method calls that carry the time; what has to be done is called on ``ChildEffects`` and ``MasterEffects``. No
socket, file, clock or process is touched here: a simulator drives the same code.

Invariants: 1. a job is in exactly one place: waiting, announced, one child, or the outbox; 2. a job is taken back from a
child only when the child has not begun it and never will; 3. what is in the outbox stays there until the master has acknowledged
it; 4. after ``drain`` nothing new is started but what a running task waits for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any, Final

from ...common.domain.id_runs import ids_named
from ...common.domain.ids import show_id
from ...common.domain.indexes import Indexes
from .allotting import Allotting
from .backlog import Backlog
from .concurrent_children import Concurrency, children_of
from .concurrent_death import fates_of
from .concurrent_watchdog import ConcurrentWatchdog
from .effects import ChildEffects, LentEffects, MasterEffects
from .ended_jobs import EndedJobs
from .finish_call import FinishCall
from .jobs import Death, Job
from .lending import Lending
from .master_side import MasterSide
from .reports import LeftReport, Report, SliceReport
from .returns import CANCELLED, LOST, Returns
from .runs import JobRun, Key, granted_runs
from .start_reports import StartReports
from .watchdog import Watchdog

BARE_FIELDS: Final = 3  # of a row of what is held; one of what has begun has its seconds, too


class Agent:
    """The decisions of one pool, for all its children and its master, or the masters of all shards. ``shard``: whose master it is about."""

    def __init__(
        self,
        runners: ChildEffects,
        master: MasterEffects,
        slots: int,
        *,
        lent: LentEffects,
        kill_grace_seconds: float,
        report: Callable[..., None],
        max_tasks_per_child: int = 0,
        max_memory_per_child: int = 0,
        lent_children: int = 4,
        concurrent: Concurrency | None = None,
        indexes: Indexes | None = None,
    ) -> None:
        """``concurrent``: its children run many jobs at a time; None: one after the other. ``indexes``: units of resources.
        ``ahead``: slots of children that may be started next, see ``scaler.py``. Only one by one several calls are one."""
        self._runners, self._master, self._report = runners, master, report
        self.slots, self.ahead, self.runs_one_by_one = slots, 0, concurrent is None
        self.last_lines: Callable[[Job], str] = lambda _: ""  # of what a job has printed
        self.durations, self.children = children_of(runners, max_tasks_per_child, concurrent)
        self.backlog = Backlog(master, self.durations)
        self._allotting = Allotting(indexes or Indexes({}), self.children, self.backlog, self.work)
        self._returns = Returns(runners, master, self.children, self.backlog)
        self.side = MasterSide(master, self.durations, self.children, self.backlog, self._returns, self.work)
        self.ended = EndedJobs(self.durations, self.side)
        self.starts = StartReports(self.children, runners, master)
        self.lending = Lending(
            (runners, lent, master),
            self.children,
            self.backlog,
            self.durations,
            self._returns,
            self._allotting,
            slots * lent_children,
            self.work,
        )
        limits = kill_grace_seconds, max_memory_per_child
        watched = runners, self.durations, self._returns.take_back, report, *limits
        many = None if concurrent is None else (concurrent.effects, self.ended.give_up)
        self._watchdog = Watchdog(*watched) if many is None else ConcurrentWatchdog(*watched, *many)

    @property
    def connected(self) -> bool:
        """To the master of one shard at least."""
        return self._returns.is_connected

    @property
    def draining(self) -> bool:
        return self._returns.is_draining

    # the connection

    @property
    def runs(self) -> list[JobRun]:
        """What is in hand and not over, as far as is known."""
        return [*self.backlog.runs, *self.children.runs]

    @property
    def held(self) -> list[list[Any]]:
        """Every lease in hand: ``[id, attempt, lease]``, of neighbours ``[[first id, how many], attempt, lease]``."""
        return [run.held for run in self.runs] + self.side.outbox.held

    def held_with_seconds(self, now: float) -> list[list[Any]]:
        """The same; a lease whose attempt has begun has the seconds that it has run as a fourth field."""
        waiting = [run.held for run in self.backlog.runs]
        return waiting + self.starts.rows_in_hand(now) + self.side.outbox.held_with_seconds

    @property
    def idle(self) -> bool:
        """Nothing is in hand and nothing is left to report."""
        return not self.backlog and not self.side.outbox and not self.children.busy

    def connect(self, dropped: Iterable[bytes], now: float, shard: int = 0) -> None:
        """Announced: the leases of ``dropped`` are lost, all others are still held. An id is in it once for each lease."""
        self.side.connected(shard)
        self.lending.connected()
        # After the outbox: reports that were under way are back in it, and some may be of lost leases.
        self._drop(Counter(dropped), now)
        self.work(now)

    def disconnect(self, shard: int = 0) -> None:
        """The connection broke: what runs goes on, reports wait."""
        self.side.disconnected(shard)

    def granted(self, lease: bytes, groups: list[list[Any]], now: float, shard: int = 0) -> None:
        """A lease call was answered."""
        # Before anything else, or a drain would wait for an answer that has come.
        self.side.leasing.answered(shard, groups)
        runs = self._allotting.received(granted_runs(lease, groups))
        # The call was parked when the drain began: what it got is given back unstarted.
        if self.draining:
            self._master.release([run.held for run in runs])
            return
        self.backlog.put(runs)
        self.work(now)

    def finished(self, stale: Set[int], now: float, shard: int = 0) -> None:
        """A finish call was answered: its rows are acknowledged, but for the places of ``stale``, which came too late."""
        for id in self.side.outboxes[shard].answered(stale):
            self._report("task.stale", level="warning", task=show_id(id))
        self.work(now)

    def may_start(self, ids: list[bytes], now: float) -> None:
        """The master knows that these suspects are about to start."""
        for id in ids:
            run = self.backlog.take_announced(id)
            if run is not None:
                child = self.children.for_suspect or (self.lending.idle if self.lending.has_room else None)
                if child is None:  # the one kept free for it has died: it is announced again
                    self.backlog.put_back([run])
                elif not self._allotting.send(child, run, now):
                    self.backlog.parked.put([run])
        self.work(now)

    # children

    def child_ready(self, number: int, now: float, *, is_lent: bool = False) -> None:
        child = self.children.add(number, is_lent=is_lent)
        if is_lent:
            self.lending.ready(child, now)
        self.work(now)

    def child_reported(self, number: int, reports: Iterable[Report], now: float) -> None:
        """Jobs of a child have ended, or were left."""
        child = self.children[number]
        for report in reports:
            # Also what came in the same message: the process that has sent one false report may have written the others.
            if child.is_distrusted:
                return None
            if isinstance(report, LeftReport):
                self._returns.left(child, report.ordinal)
            # It was given up, and its attempt has ended: what it returns comes too late.
            elif child.is_late(report.ordinal):
                continue
            elif not (runs := child.take_ended(report.ordinal, report.jobs_count)):
                # It does not have this job, or comes to it out of its order: it is not its own word.
                self.distrust(number, f"it reported job {report.ordinal}, which it does not run")
                return self._runners.signal(number, kill=True)
            elif isinstance(report, SliceReport):
                self.ended.slice(runs, report)
            else:
                self.ended.one(runs[0].job(0), report)
        child.ended = now
        if child.is_asleep:
            self.lending.job_ended(child)
        if child.is_lent or not self.draining:  # what is lent runs for those that are waited for
            self.children.retire_if_due(child)
        return self.work(now)

    def distrust(self, number: int, why: str) -> None:
        """A child sent what it cannot have meant: nothing it sends is used any more. The caller kills it."""
        self._report("child.distrusted", level="error", child=number, why=why)
        if number in self.children:
            self.children[number].is_distrusted = self.children[number].is_retiring = True

    def child_died(self, number: int, death: Death, begun: int, now: float) -> None:
        """A child is gone. ``begun``: the ordinal up to which it had begun its jobs."""
        # First: nothing below may send it anything.
        child = self.children.pop(number)
        self.lending.forget(child)
        # What it had not begun is not to blame for its death, and runs elsewhere.
        self._returns.take_back(child, begun)
        for job, since, outcome, failure in fates_of(child, death, self.last_lines):
            self.ended.put(job, outcome, failure.encode(), now, max(0.0, now - since), None)
        self.work(now)

    # orders, time, the end

    def cancel(self, id: bytes, attempt: int, now: float) -> None:
        """The master wants this attempt ended."""
        keys = {(id, attempt)}
        # Only those that have it: others keep what they have in their queues.
        for child in self._returns.take_unwanted(keys, CANCELLED):
            self._watchdog.end_if_running(child, keys, "cancel", now)
        # What is released unstarted, the master cancels.
        self._returns.release(self.backlog.take((id, attempt)))
        self.work(now)

    def drain(self, now: float) -> None:
        """Finish what runs, release the rest."""
        self._returns.is_draining = True
        for child in self.children.values():
            self._returns.take_back(child)
        self._returns.release(self.backlog.take_all())
        self.work(now)

    def give_up(self, now: float) -> tuple[list[FinishCall], list[list[Any]]]:
        """The second signal, after a drain: reports to send at once, leases of begun jobs to release."""
        # Unstarted leases need no row: the goodbye gives them back.
        begun = [row for row in self.starts.rows_in_hand(now) if len(row) > BARE_FIELDS]
        return self.side.outbox.take_rest(), begun

    def look(self, now: float) -> bool:
        """Between two ticks: see ``Watchdog.look``. Whether there will be more to look at."""
        return self._watchdog.look_at_all(self.children.values(), now)

    def tick(self, now: float) -> None:
        """Check what runs: time limits, jobs behind a long one, jobs that did not end when asked."""
        # A list: what is decided here may remove one.
        for child in list(self.children.values()):
            if child.jobs:
                self._watchdog.check(child, now)
                if not self.draining:  # it may have had one that was given up
                    self.children.retire_if_due(child)
        self.children.record_running(now)
        if self.connected:
            self.starts.send_due(now)
        self._returns.release(
            self.backlog.take_surplus(
                self.slots + self.ahead - self.lending.slots_lent,
                self.children.jobs_count,
                self.connected,
                now,
            )
        )
        self.lending.end_idle(now)
        self.work(now)

    def measured(self, sizes_bytes: Mapping[int, int], now: float) -> None:
        """The memory of children, by number."""
        for number, size_bytes in sizes_bytes.items():
            child = self.children.get(number)
            has_grown = child is not None and self._watchdog.check_memory(child, size_bytes, now)
            if child is not None and has_grown and not self.draining:
                self.children.retire_if_due(child)
        self.work(now)

    # the work itself

    def work(self, now: float) -> None:
        """Send waiting jobs to children, report what is over, lease more."""
        if not self.draining:
            self._assign(now)
        if self.connected:
            self.side.exchange(now, ahead=self.ahead, drains=self.draining)
        if self.lending.sleepers:  # while this worker drains, too: what runs has to end
            self.lending.work(now, connected=self.connected)
        self._allotting.offer(now)

    def _assign(self, now: float) -> None:
        backlog, children = self.backlog, self.children
        self._allotting.assign_parked(now)
        while backlog.waiting:
            run = backlog.waiting.first
            child = children.free_for(run, reserved=len(backlog.announced))
            if child is None or (run.suspect and not self.connected):
                return
            if run.suspect:
                backlog.announce(is_here=self.side.is_here(run.id))
            elif (run.needs and backlog.parked) or not self._allotting.send_first(
                child, backlog.waiting, now
            ):
                self._allotting.park()

    def _drop(self, dropped: Counter[bytes], now: float) -> None:
        """The master has given these tasks to other workers, or has their results already."""
        if not dropped:
            return
        lost = _lost(self.held, dropped)
        for id, _ in sorted(lost):
            self._report("task.dropped", level="warning", task=show_id(id))
        # All three places: it is not known in which of them each of these is by now.
        self.side.outbox.drop(lost)
        for child in self._returns.take_unwanted(lost, LOST):
            self._watchdog.end_if_running(child, lost, "lost", now)
        self.backlog.drop(lost)


def _lost(held: Iterable[list[Any]], dropped: Counter[bytes]) -> set[Key]:
    """The attempts that an id is in ``dropped`` for. Of two attempts of one task, the older is lost first."""
    left, lost = dropped.copy(), set[Key]()
    for id, attempt in sorted((id, attempt) for named, attempt, _ in held for id in ids_named([named])):
        if left[id] > 0:
            left[id] -= 1
            lost.add((id, attempt))
    return lost
