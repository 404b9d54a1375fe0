"""What becomes of tasks whose needs have ended: they are unblocked, fail, or are cancelled. So many in a transaction."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind
from ...common.domain.model import StateNumber
from ...common.domain.on_error import Verdict
from ..engine.clock import Now
from ..store.interface.store import Store
from ..tasks.completion import Completion
from ..tasks.routes import Routes
from ..tasks.scheduled import ScheduledTasks
from .becomings import Becomings
from .dependent import Dependent, EndedPart, dependency_failed
from .needed_tasks import NeededTasks

FALL_COST: Final = 4  # one that fails is as much work as so many that become ready
NEEDS_SHARE: Final = 10  # needs that are forgotten while one is decided
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)
BLOCKED: Final = int(StateNumber.BLOCKED)
FAILED: Final = int(StateNumber.FAILED)


class Decisions:
    """``ripe``: what may be decided, in turn."""

    def __init__(
        self,
        store: Store,
        routes: Routes,
        completion: Completion,
        scheduled: ScheduledTasks,
        becomings: Becomings,
        tasks: NeededTasks,
    ) -> None:
        self._store, self._routes, self._completion, self._scheduled = store, routes, completion, scheduled
        self._becomings, self._tasks = becomings, tasks
        self.ripe: deque[Dependent | EndedPart] = deque()
        self._times_ripe = Counter[Dependent]()  # how often each stands there: to look through it takes long

    def add(self, dependent: Dependent) -> None:
        self.ripe.append(dependent)
        self._times_ripe[dependent] += 1

    def add_part(self, part: EndedPart) -> None:
        self.ripe.append(part)

    def has(self, dependent: Dependent) -> bool:
        """Whether it is to be decided as a whole."""
        return dependent in self._times_ripe

    def clear(self) -> None:
        self.ripe.clear()
        self._times_ripe.clear()

    def decide(self, left: int, now: Now) -> None:
        """About so many tasks."""
        while self.ripe and left > 0:
            ripe = self.ripe.popleft()
            if isinstance(ripe, EndedPart):
                left -= self._decide_piece(ripe, left, now)
                continue
            left -= 1 + len(ripe.needs) // NEEDS_SHARE
            self._times_ripe[ripe] -= 1
            if not self._times_ripe[ripe]:
                del self._times_ripe[ripe]
            if not ripe.open:
                continue
            match ripe.verdict:
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
            self.ripe.appendleft(piece._replace(start=start + most))
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
        found = self._tasks.culprit(culprit, dependent.queues)
        body = dependency_failed(found, missed, dependent.needed, dependent.minimum)
        rows = self._store.fall(seq, seq + 1, body, now.steady)
        self._completion.ends(
            [(IdRun(row.id, 1), row.route, BLOCKED, FAILED, [body], row.origin) for row in rows], now
        )

    def _drop(self, run: IdRun, now: Now) -> None:
        """These are for failures, and there are none."""
        found = [one for one in self._store.find(run.ids()) if self._becomings.other_of(one.id) is None]
        self._completion.cancel([one for one in found if one.state == BLOCKED], now)
