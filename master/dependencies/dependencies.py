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

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ...common.domain.id_runs import IdRun
from ...common.domain.model import StateNumber, TaskOptions
from ...common.domain.on_error import Verdict, verdict
from ..engine.accounts import Resource
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.dependencies import StateSpan
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
from .decisions import Decisions
from .dependent import UNKNOWN, Dependent, EndedPart
from .needed_tasks import NeededTasks
from .results import Carrier, page
from .submits import check, dependents_of, needed_elsewhere, rights_of
from .unwritten import UnwrittenCounts

# Tasks and neighbours about which one transaction decides: some fifty milliseconds
DECIDED_MAX: Final = 1_000
COUNTED_SHARE: Final = 20  # counted in memory while one is decided
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)


class Dependencies(Part):
    def __init__(
        self,
        store: Store,
        routes: Routes,
        completion: Completion,
        scheduled: ScheduledTasks,
        becomings: Becomings,
        tasks: NeededTasks,
    ) -> None:
        self._store, self._routes, self.tasks = store, routes, tasks
        self.known, self._becomings = becomings.known, becomings
        self._changed: dict[int, Dependent] = {}  # by number: of which the row is to be written
        self._unwritten = UnwrittenCounts(store)
        self._decisions = Decisions(store, routes, completion, scheduled, becomings, tasks)
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

    def states(self, id: bytes, run: IdRun) -> Iterable[StateSpan]:
        dependent = self.known.of(id)
        return self.tasks.states(run, None if dependent is None else dependent.queues)

    def carried(self, rows: list[Leased | LeasedSlice]) -> list[Leased | LeasedSlice]:
        return list(map(Carrier(self.tasks, self.known.own).row, rows))

    def page(self, id: bytes, first: bytes) -> list[list[Any]] | None:
        """The outcomes of what a task needs that runs, from one of these on, as many as fit; None: it does not need that one."""
        dependent = self.known.of(id)
        queues = None if dependent is None else dependent.queues
        return page(self.tasks, self.known.needs_of(id), queues, first)

    def check(self, session: Session, runs: list[NewRun], options: TaskOptions) -> None:
        """Every needed task must be there, in a queue that the key may use: it gets to know whether that succeeded."""
        self._store.settle()
        needs = [len(new.needs.runs) for new in runs if new.needs is not None]
        session.account.check(Resource.DEPENDENTS, len(needs))
        session.account.check(Resource.NEEDS, sum(needs))
        elsewhere = needed_elsewhere(runs, self.tasks.is_elsewhere)
        if elsewhere:
            tasks = self.known.elsewhere.not_needed_yet(rights_of(session), elsewhere)
            session.account.check(Resource.NEEDED_ELSEWHERE, tasks)
        is_within = within(self._routes, session)
        check(self._store, runs, options, len(self.known), is_within, self.tasks.is_elsewhere)

    def accepted(self, submission: Submission, now: Now) -> None:
        made = list(dependents_of(submission, self.tasks.is_elsewhere))
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
            self._needed_ended(run, state, list(self.known.needed.over(run)))
            for part, _, dependent in list(self.known.own.over(run)):
                dependent.open -= part.length
                self._changed[dependent.seq] = dependent
                if not dependent.open:
                    self.known.forget(dependent)

    def _needed_ended(self, run: IdRun, state: int, over: Sequence[tuple[IdRun, int, Dependent]]) -> None:
        self._unwritten.note(run, len(over))
        for part, place, dependent in over:
            if dependent.each:
                self._decisions.add_part(EndedPart(dependent, place, place + part.length, state))
            elif dependent.left:
                self._count(dependent, part, state, 1)

    def ended_elsewhere(self, queues: bytes, run: IdRun, state: int) -> None:
        """Tasks of another shard, for those that need them by these rights."""
        self._needed_ended(run, state, self._by_rights(queues, run))

    def again_elsewhere(self, queues: bytes, run: IdRun, state: int) -> None:
        """They had ended in this state, and run again."""
        self._needed_again(run, state, self._by_rights(queues, run))

    def _by_rights(self, queues: bytes, run: IdRun) -> list[tuple[IdRun, int, Dependent]]:
        return [one for one in self.known.needed.over(run) if one[2].queues == queues]

    def _count(self, dependent: Dependent, part: IdRun, state: int, sign: int) -> None:
        """Needed tasks have ended in this state, or (-1) run again after they had."""
        dependent.left -= sign * part.length
        if state != SUCCEEDED:
            dependent.missed += sign * part.length
            if dependent.culprit is None:
                dependent.culprit = part.first
        self._unwritten.add(dependent)
        if sign > 0 and dependent.verdict is not Verdict.WAIT:
            self._decisions.add(dependent)

    # decided

    def give_out(self, now: Now) -> None:
        self._decide(now)

    def has_more(self) -> bool:
        return bool(self._decisions.ripe or self._unwritten)

    def _decide(self, now: Now) -> None:
        self._decisions.decide(max(1, DECIDED_MAX - self._unwritten.noted // COUNTED_SHARE), now)

    # retries by hand

    def revived(self, found: Found) -> StateNumber:
        """Where a task goes that is to run again. It is counted as one that has not ended by those that need it."""
        row = self._store.dependencies.of(found.seq)
        state = StateNumber.READY
        if row is not None:
            state = self._state_of_revived(Dependent.from_row(row), found)
        if state != found.state:
            run = IdRun(found.id, 1)
            self._needed_again(run, found.state, list(self.known.needed.over(run)))
            self.known.elsewhere.again(found.id, found.route)
        return state

    def _needed_again(self, run: IdRun, state: int, over: Sequence[tuple[IdRun, int, Dependent]]) -> None:
        self._unwritten.note(run, len(over))
        for part, _, dependent in over:
            if not dependent.each and (dependent.left or self._decisions.has(dependent)):
                self._count(dependent, part, state, -1)

    def _state_of_revived(self, stored: Dependent, found: Found) -> StateNumber:
        place = found.seq - stored.seq
        own = self.known.of(found.id)
        states = Counter[int]()
        for run in stored.needs_of(place):
            for span in self.tasks.states(run, stored.queues):
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
        self._decisions.clear()
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
        ripe = {one.dependent if isinstance(one, EndedPart) else one for one in self._decisions.ripe}
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
        spans = [span for run in dependent.needs for span in self.tasks.states(run, dependent.queues)]
        if dependent.each:
            first = int.from_bytes(dependent.needs[0].first, "big")
            for span in spans:
                if span.state >= SUCCEEDED or span.state == UNKNOWN:
                    place = int.from_bytes(span.first, "big") - first
                    self._decisions.add_part(EndedPart(dependent, place, place + span.length, span.state))
            return
        dependent.left, dependent.missed, dependent.culprit = dependent.needed, 0, None
        for span in spans:
            if span.state >= SUCCEEDED or span.state == UNKNOWN:
                dependent.left -= span.length
                if span.state != SUCCEEDED:
                    dependent.missed += span.length
                    dependent.culprit = dependent.culprit or span.first
        self._changed[dependent.seq] = dependent
        if dependent.verdict is not Verdict.WAIT:
            self._decisions.add(dependent)
