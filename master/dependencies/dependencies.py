"""Tasks that need other tasks: from their submit, in which they are blocked, until what they need has ended.

::

    accepted ─► judged by the states of what they need ─┐
    Endings.ended ─► counted, in the transaction of the end ─┴─► decided ─► unblocked: ready, or scheduled
                                                                       └─► fall: failed, or dropped: cancelled ─► Endings.ended, and so on

What one task needs is counted: a run of a thousand tasks is one row, and their end one change of its numbers. Neighbours of an
array of which the i-th needs the i-th of a run are not counted: where a part of the run has ended, the same part of them is decided.

A transaction decides about so many tasks, however long the chain is along which they fall. What is left is marked in the store, and
decided in the next one; after a restart, too. Where very many need one task their rows are
written in portions as well (unwritten.py). An end that comes again after a retry by hand is counted again: the numbers are always
those of the states that the needed tasks are in.

Invariants: 1. a task is blocked as long as something that it needs has not ended and enough may still succeed, and no longer; 2. what a
task needs is not deleted by age before the task has ended; 3. results are given only to who holds the lease of the task.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind
from ...common.domain.model import StateNumber, TaskOptions
from ...common.domain.on_error import Verdict, verdict
from ..engine.accounts import Resource
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.queries import Found
from ..store.interface.slices import LeasedSlice
from ..store.interface.store import Picture, Store
from ..store.interface.tasks import Leased
from ..tasks.completion import Completion
from ..tasks.plan import Submission
from ..tasks.routes import Routes, within
from ..tasks.scheduled import ScheduledTasks
from ..tasks.submitted import NewRun
from .becomings import Becomings
from .dependent import UNKNOWN, Culprit, Dependent, EndedPart, dependency_failed
from .results import Carrier
from .spans import with_gaps
from .submits import check, dependents_of
from .unwritten import UnwrittenCounts

DECIDED_MAX: Final = (
    1_000  # tasks and neighbours about which one transaction decides: some fifty milliseconds
)
FALL_COST: Final = 4  # one that fails is as much work as so many that become ready
COUNTED_SHARE: Final = 20  # counted in memory while one is decided
NEEDS_SHARE: Final = 10  # needs that are forgotten while one is decided
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)
BLOCKED: Final = int(StateNumber.BLOCKED)
FAILED: Final = int(StateNumber.FAILED)


class Dependencies(Part):
    def __init__(
        self,
        store: Store,
        routes: Routes,
        completion: Completion,
        scheduled: ScheduledTasks,
        becomings: Becomings,
    ) -> None:
        self._store, self._routes, self._completion, self._scheduled = store, routes, completion, scheduled
        self.known, self._becomings = becomings.known, becomings
        self._changed: dict[int, Dependent] = {}  # by number: of which the row is to be written
        self._unwritten = UnwrittenCounts(store)
        self._ripe: deque[Dependent | EndedPart] = deque()  # that may be decided
        self._times_ripe = Counter[Dependent]()  # how often each stands there: to look through it takes long
        self._marked: set[Dependent] = set()  # of which the row says that they are ripe
        store.keep(self.is_needed)

    # NeedsKeeper

    @property
    def are_open(self) -> bool:
        return bool(self.known.own) or self._becomings.are_open

    def is_needed(self, run: IdRun) -> bool:
        return self._becomings.is_needed_by_any(run)

    def needs_of(self, id: bytes) -> Sequence[IdRun]:
        return self._becomings.needs_of(id)

    def carried(self, rows: list[Leased | LeasedSlice]) -> list[Leased | LeasedSlice]:
        return list(map(Carrier(self._store, self.known.own).row, rows))

    def check(self, session: Session, runs: list[NewRun], options: TaskOptions) -> None:
        """Every needed task must be there, in a queue that the key may use: it gets to know whether that succeeded."""
        self._store.settle()
        needs = [len(new.needs.runs) for new in runs if new.needs is not None]
        session.account.check(Resource.DEPENDENTS, len(needs))
        session.account.check(Resource.NEEDS, sum(needs))
        check(self._store, runs, options, len(self.known), within(self._routes, session))

    def accepted(self, submission: Submission, now: Now) -> None:
        made = list(dependents_of(submission))
        account = None if submission.call is None else submission.call.session.account
        for one in made:
            self.known.add(one, account)
            self._judge(one)
        self._store.dependencies.add([one.row for one in made])
        self._decide(now)
        self.settle(now)  # in trouble, submits are written after the other parts have settled

    # what ends

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        if not self.known.own:
            return
        for run, _, _, state, _, _ in tasks:
            over = list(self.known.needed.over(run))
            self._unwritten.note(run, len(over))
            for part, place, dependent in over:
                if dependent.each:
                    self._ripe.append(EndedPart(dependent, place, place + part.length, state))
                elif dependent.left:
                    self._count(dependent, part, state, 1)
            for part, _, dependent in list(self.known.own.over(run)):
                dependent.open -= part.length
                self._changed[dependent.seq] = dependent
                if not dependent.open:
                    self.known.forget(dependent)

    def _count(self, dependent: Dependent, part: IdRun, state: int, sign: int) -> None:
        """Needed tasks have ended in this state, or (-1) run again after they had."""
        dependent.left -= sign * part.length
        if state != SUCCEEDED:
            dependent.missed += sign * part.length
            if dependent.culprit is None:
                dependent.culprit = part.first
        self._unwritten.add(dependent)
        if sign > 0 and self._verdict(dependent) is not Verdict.WAIT:
            self._ripen(dependent)

    def _ripen(self, dependent: Dependent) -> None:
        self._ripe.append(dependent)
        self._times_ripe[dependent] += 1

    def _verdict(self, dependent: Dependent) -> Verdict:
        return verdict(dependent.needed, dependent.left, dependent.missed, dependent.minimum)

    # decided

    def give_out(self, now: Now) -> None:
        self._decide(now)

    def has_more(self) -> bool:
        return bool(self._ripe or self._unwritten)

    def _decide(self, now: Now) -> None:
        left = max(1, DECIDED_MAX - self._unwritten.noted // COUNTED_SHARE)
        while self._ripe and left > 0:
            ripe = self._ripe.popleft()
            if isinstance(ripe, EndedPart):
                left -= self._decide_piece(ripe, left, now)
                continue
            left -= 1 + len(ripe.needs) // NEEDS_SHARE
            self._times_ripe[ripe] -= 1
            if not self._times_ripe[ripe]:
                del self._times_ripe[ripe]
            if not ripe.open:
                continue
            match self._verdict(ripe):
                case Verdict.RUN:
                    self._unblock(ripe, ripe.seq, ripe.stop, now)
                case Verdict.FALL:
                    left -= FALL_COST - 1
                    self._fall(ripe, ripe.seq, ripe.culprit or ripe.needs[0].first, now)
                case Verdict.DROP:
                    self._drop(ripe.run, now)

    def _decide_piece(self, piece: EndedPart, left: int, now: Now) -> int:
        """Returns about how many tasks that was as much as."""
        dependent, start, stop, state = piece
        if (state != SUCCEEDED) if dependent.catches else (state == SUCCEEDED or dependent.collects):
            self._unblock(dependent, dependent.seq + start, dependent.seq + stop, now)
            return 1
        most = max(1, left // FALL_COST)
        if stop - start > most:
            self._ripe.appendleft(piece._replace(start=start + most))
            stop = start + most
        if dependent.catches:
            self._drop(IdRun(id_behind(dependent.id, start), stop - start), now)
            return stop - start
        for place in range(start, stop):
            self._fall(dependent, dependent.seq + place, id_behind(dependent.needs[0].first, place), now)
        return (stop - start) * FALL_COST

    def _unblock(self, dependent: Dependent, seq: int, stop: int, now: Now) -> None:
        due: int | None = None
        if dependent.delay:
            due = now.steady + dependent.delay
        elif dependent.at is not None and dependent.at > now.wall:
            due = -dependent.at
        state = StateNumber.READY if due is None else StateNumber.SCHEDULED
        for row in self._store.unblock(seq, stop, state, due):
            self._routes.move(row.route, BLOCKED, state, row.seq, row.stop - row.seq)
        if due is not None:
            self._scheduled.expect(due=due if due >= 0 else None, at=-due if due < 0 else None)

    def _fall(self, dependent: Dependent, seq: int, culprit: bytes, now: Now) -> None:
        missed = 1 if dependent.each else dependent.missed
        body = dependency_failed(self._culprit(culprit), missed, dependent.needed, dependent.minimum)
        rows = self._store.fall(seq, seq + 1, body, now.steady)
        self._completion.ends(
            [(IdRun(row.id, 1), row.route, BLOCKED, FAILED, [body], row.origin) for row in rows], now
        )

    def _drop(self, run: IdRun, now: Now) -> None:
        """These are for failures, and there are none."""
        found = [one for one in self._store.find(run.ids()) if self._becomings.other_of(one.id) is None]
        self._completion.cancel([one for one in found if one.state == BLOCKED], now)

    def _culprit(self, id: bytes) -> Culprit:
        for found in self._store.outcomes([id]):
            return Culprit(id, self._routes.by_number[found.route].task, found.state, found.body)
        return Culprit(id, "", UNKNOWN, None)

    # retries by hand

    def revived(self, found: Found) -> StateNumber:
        """Where a task goes that is to run again. It is counted as one that has not ended by those that need it."""
        row = self._store.dependencies.of(found.seq)
        state = StateNumber.READY
        if row is not None:
            state = self._state_of_revived(Dependent.from_row(row), found)
        if state != found.state:
            run = IdRun(found.id, 1)
            over = list(self.known.needed.over(run))
            self._unwritten.note(run, len(over))
            for part, _, dependent in over:
                if not dependent.each and (dependent.left or dependent in self._times_ripe):
                    self._count(dependent, part, found.state, -1)
        return state

    def _state_of_revived(self, stored: Dependent, found: Found) -> StateNumber:
        place = found.seq - stored.seq
        own = self.known.of(found.id)
        states = Counter[int]()
        for run in stored.needs_of(place):
            for span in self._store.dependencies.states(run):
                states[span.state] += span.length
        left = sum(tasks for state, tasks in states.items() if 0 <= state < SUCCEEDED)
        missed = stored.needed - left - states[SUCCEEDED]
        now = verdict(stored.needed, left, missed, stored.minimum)
        if now in (Verdict.FALL, Verdict.DROP):
            return StateNumber(found.state)
        dependent = own or self._changed.get(stored.seq, stored)
        dependent.open += 1
        if not dependent.each:
            dependent.left, dependent.missed, dependent.culprit = left, missed, None
        if own is None:
            self.known.add(dependent)
        self._changed[dependent.seq] = dependent
        return StateNumber.BLOCKED if now is Verdict.WAIT else StateNumber.READY

    # memory and rows

    def load(self, picture: Picture, now: Now) -> None:
        self._changed.clear()
        self._ripe.clear()
        self._times_ripe.clear()
        self._marked.clear()
        dependents = [Dependent.from_row(row) for row in self._store.dependencies.open()]
        self.known.load(dependents)
        for dependent in dependents:
            if dependent.ripe:
                self._marked.add(dependent)
                self._judge(dependent)
        for dependent in self._unwritten.load(self.known, dependents):
            self._judge(dependent)
            self._changed.pop(dependent.seq, None)
            self._unwritten.add(dependent)

    def begin(self) -> None:
        self._unwritten.begin()

    def settle(self, now: Now) -> None:
        ripe = {one.dependent if isinstance(one, EndedPart) else one for one in self._ripe}
        for dependent in ripe ^ self._marked:
            dependent.ripe = dependent in ripe
            if dependent.ripe:
                self._unwritten.add(dependent)
            else:
                self._changed[dependent.seq] = dependent
        self._marked = ripe
        self._unwritten.write(self._changed)

    def _judge(self, dependent: Dependent) -> None:
        """Count, or decide about, what has ended of all that it needs."""
        spans = [span for run in dependent.needs for span in with_gaps(self._store, run)]
        if dependent.each:
            first = int.from_bytes(dependent.needs[0].first, "big")
            for span in spans:
                if span.state >= SUCCEEDED or span.state == UNKNOWN:
                    place = int.from_bytes(span.first, "big") - first
                    self._ripe.append(EndedPart(dependent, place, place + span.length, span.state))
            return
        dependent.left, dependent.missed, dependent.culprit = dependent.needed, 0, None
        for span in spans:
            if span.state >= SUCCEEDED or span.state == UNKNOWN:
                dependent.left -= span.length
                if span.state != SUCCEEDED:
                    dependent.missed += span.length
                    dependent.culprit = dependent.culprit or span.first
        self._changed[dependent.seq] = dependent
        if self._verdict(dependent) is not Verdict.WAIT:
            self._ripen(dependent)
