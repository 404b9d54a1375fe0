"""How attempts and tasks end: by a worker's report, a lost worker, a cancel or an expiry.

Every end is checked twice: here against the leases in memory, and by the store's
conditional update. A report that is not of the current attempt and lease is *stale*: it changes nothing,
and the answer names it. A repeated report that was accepted before is neither stale nor accepted again.

Invariants: 1. at most one result is accepted per task, of its current attempt; 2. result, count and
acknowledgement are one transaction; 3. whatever ends a task raises ``Endings.ended`` in that transaction, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind
from ...common.domain.model import TERMINAL_STATES, OutcomeNumber, StateNumber
from ...common.errors import ProtocolError, UnknownBlob
from ...common.values.brief import brief
from ...common.values.failure import Failure
from ..blobs.blobs import Blobs
from ..engine.clock import Now
from ..engine.endings import Ended, Endings, joined
from ..engine.part import Part
from ..store.interface.queries import Facts, Found
from ..store.interface.store import Store
from ..store.interface.tasks import EndedAttempt, Expired, Returned, Success
from .consulted import Consulted, NeedsKeeper
from .leases import LeasedAttempt, LeasedTasks, Leases
from .meter import TaskMeter
from .named_blobs import check_named
from .reports import (
    OUTCOMES_OF_WORKERS,
    REPORTS_MAX,
    ReportedSlice,
    check_reports,
    reported_slices,
)
from .results import NOTHING
from .routes import Routes
from .scheduled import ScheduledTasks
from .succeeded import SucceededRuns, leased_parts
from .unsuccessful import TakenAttempt, UnsuccessfulAttempts, is_at_most_once

SUCCESS: Final = int(OutcomeNumber.SUCCESS)
REVIVABLE: Final = TERMINAL_STATES - {StateNumber.SUCCEEDED}
OUTCOMES_REPORTED: Final = OUTCOMES_OF_WORKERS - {
    OutcomeNumber.RELEASED
}  # an attempt that ended LOST or RELEASED was not reported as another end
OUTCOMES_HANDED_BACK: Final = frozenset({OutcomeNumber.RELEASED, OutcomeNumber.LOST})
READY, BLOCKED, RUNNING, SUCCEEDED, FAILED, CANCELLED, EXPIRED = map(
    int,
    (
        StateNumber.READY,
        StateNumber.BLOCKED,
        StateNumber.RUNNING,
        StateNumber.SUCCEEDED,
        StateNumber.FAILED,
        StateNumber.CANCELLED,
        StateNumber.EXPIRED,
    ),
)
HANDED_BACK: Final = Failure(type="Interrupted", message="its worker was stopped while it ran").encode()


class Completion(Part):
    """Ends attempts and tasks, for every possible reason."""

    def __init__(
        self,
        store: Store,
        routes: Routes,
        leases: Leases,
        scheduled: ScheduledTasks,
        endings: Endings,
        blobs: Blobs,
        consulted: Consulted,
        random: Callable[[], float],
    ) -> None:
        self._store, self._routes, self._leases = store, routes, leases
        self._running, self.cancelling = leases.running, leases.cancelling
        self._endings, self._blobs = endings, blobs
        self._consulted = consulted
        self.unsuccessful = UnsuccessfulAttempts(store, routes, leases, scheduled, consulted, random)
        self.meters: TaskMeter | None = None

    def finish(
        self,
        rows: list[Any],
        now: Now,
        named: Any = None,
        slices: Any = None,
        may_see: Callable[[int], bool] = lambda _: True,
    ) -> tuple[int, list[Any]]:
        """Process a worker's reports; returns how many attempts were reported and are not stale, and what is stale: indices of
        rows, and ``[index, start, stop]`` of parts of slices. ``named``: the content that results name, by index. ``may_see``:
        whether a route is in a queue of the worker's key."""
        check_reports(rows)  # all reports are validated before one is applied: memory has no rollback
        reported = reported_slices(slices, REPORTS_MAX - len(rows)) if slices else []
        references = (
            _references(self._consulted.needs, self._running, self._blobs, rows, named) if named else None
        )
        if self.meters is not None:
            self.meters.reported(rows, reported, self._running)
        stale: list[Any] = []
        # Gathered and written together: a statement for all, not one for each.
        successes: list[Success] = []
        others: list[EndedAttempt] = []
        taken: list[TakenAttempt] = []  # not decided yet: neighbours that ended alike are decided together
        ended: list[Ended] = []
        attempts: Counter[int] = Counter()  # that ended, by route
        running, moment = self._running, now.steady
        runs = SucceededRuns(running, moment)
        # A success needs none of what is stored, which spares a read for most reports.
        facts = self.unsuccessful.facts(id for id, _, _, outcome, *_ in rows if outcome != SUCCESS)
        for number, one in enumerate(reported):
            for start, stop in self._slice(one, runs, successes, ended, attempts, moment):
                _add_part(stale, number, start, stop)
        for index, (id, attempt, lease, outcome, body, _, seconds, after) in enumerate(rows):
            if outcome == SUCCESS:
                # A task that ends by itself may be in a leased slice all the same.
                one = ReportedSlice(IdRun(id, 1), attempt, lease, [body], [seconds])
                if any(self._slice(one, runs, successes, ended, attempts, moment)):
                    stale.append(index)
                continue
            held = running.get(id)
            if held is None or held.attempt != attempt or held.lease != lease:
                # The worker repeats what it has no answer to: after a lost
                # connection this report may have been done already.
                if not _was_accepted(self._store, id, attempt, lease, outcome):
                    stale.append(index)
                continue
            attempts[held.route] += 1
            number, recorded, known = OutcomeNumber(outcome), body, facts[held.seq]
            if number == OutcomeNumber.RELEASED:
                number, recorded = _handed_back(known, body)
            elif number == OutcomeNumber.BECAME:
                number, recorded = self._consulted.becomings.judged(id, body, may_see)
            taken.append(self.unsuccessful.take(id, held, known, number, recorded, seconds, after))
            if outcome == OutcomeNumber.BECAME:
                # At once: whether a later one of these may become another depends on this.
                others += self.unsuccessful.end(taken, now, ended)
                taken.clear()
                # Only then: the judgement may have made a failure of it.
                if others[-1].state == BLOCKED:
                    self._consulted.becomings.began(id, held.seq, body)
        others += self.unsuccessful.end(taken, now, ended)
        if successes:
            self._store.succeed(successes)
        if ended_slices := runs.rows():
            self._store.succeed_slices(ended_slices)
        if references:  # in the transaction of the results: content is never deleted between the two
            self._store.blobs.name(references)
        if others:
            self._store.end_attempts(others)
        # Rows are named by their index, parts of slices by three numbers.
        late = sum(1 if type(one) is int else one[2] - one[1] for one in stale)
        if self.meters is not None:
            self.meters.stale += late
        self._routes.attempts_ended(attempts, now.mono)
        self.ends(ended, now)
        return len(rows) + sum(one.run.length for one in reported) - late, stale

    def _slice(
        self,
        reported: ReportedSlice,
        runs: SucceededRuns,
        successes: list[Success],
        ended: list[Ended],
        attempts: Counter[int],
        moment: int,
    ) -> Iterator[tuple[int, int]]:
        """End the tasks of a run that succeeded; yields the parts of it that are stale."""
        _, attempt, lease, results, seconds = reported
        for start, stop, slice, seq in leased_parts(self._running, reported):
            run = IdRun(id_behind(reported.run.first, start), stop - start)
            if slice is not None:
                # A result that its submit does not want is stored all the same
                # while a task that needs it has not ended.
                drops = slice.drops and not self._consulted.needs.is_needed(run)
                bodies = [NOTHING] * run.length if drops else results[start:stop]
                runs.add(slice, seq, bodies, seconds[start:stop])
                ended.append((run, slice.route, RUNNING, SUCCEEDED, bodies, slice.origin))
                attempts[slice.route] += run.length
                continue
            # Not in a leased slice: single tasks, or those whose lease has ended.
            for at, id in enumerate(run.ids(), start):
                held = self._running.alone.get(id)
                if held is not None and held.attempt == attempt and held.lease == lease:
                    # The start is reckoned back from the worker's duration: its clock may differ from the master's.
                    started = moment - int(seconds[at] * 1000)
                    drops = held.drops and not self._consulted.needs.is_needed(IdRun(id, 1))
                    body = NOTHING if drops else results[at]
                    successes.append((body, started, moment, held.seq, attempt, lease))
                    ended.append((IdRun(id, 1), held.route, RUNNING, SUCCEEDED, [body], held.origin))
                    attempts[held.route] += 1
                    del self._running[id]
                elif not _was_accepted(self._store, id, attempt, lease):
                    yield at, at + 1

    def release(
        self, rows: Iterable[tuple[bytes, int, bytes, float | None]], now: Now, *, begun: bool = False
    ) -> None:
        """A worker returns attempts that have not ended (``held_rows``); rows that are no longer its own are ignored.

        ``begun``: the attempts ran when the worker had to stop
        immediately. No failure or crash is counted, but an at_most_once task is lost, since it must not start twice.
        """
        mine: dict[bytes, int | None] = {}
        for id, attempt, lease, seconds in rows:
            held = self._running.get(id)
            if held is not None and held.attempt == attempt and held.lease == lease:
                mine[id] = now.steady - int((seconds or 0.0) * 1000) if begun else None
        self.hand_back(mine, now)

    def began(self, rows: Iterable[tuple[bytes, int, bytes, float | None]], now: Now) -> list[bytes]:
        """A worker reports which of its leased attempts have begun (``held_rows``); returns the ids of those that are its own."""
        mine: list[bytes] = []
        for id, attempt, lease, seconds in rows:
            held = self._running.get(id)
            if held is None or held.attempt != attempt or held.lease != lease or seconds is None:
                continue
            mine.append(id)
            if held.begun is None:
                self._running[id] = held._replace(begun=now.steady - int(seconds * 1000))
                if self.meters is not None:
                    self.meters.begun(held.route)
        return mine

    def hand_back(self, began: Mapping[bytes, int | None], now: Now) -> None:
        """End leases without counting a failure or crash. ``began``: by id, the steady time at which the attempt began, None if it did not.

        An attempt that was once reported as begun stays begun, even if a later message says otherwise.
        """
        ended: list[Ended] = []
        returned: list[Returned] = []
        interrupted: list[TakenAttempt] = []
        leased = [(id, held, moment) for id, moment in began.items() if (held := self._running.get(id))]
        facts = self.unsuccessful.facts(
            id for id, held, moment in leased if moment is not None or held.begun is not None
        )
        for id, held, moment in leased:
            moment = held.begun if held.begun is not None else moment
            if moment is None:  # it never ran: no attempt is recorded
                returned.append(self._unstarted(id, held, now, ended))
                continue
            # What was reported first counts, or the start that this message tells of.
            held = held._replace(begun=moment)
            known = facts[held.seq]
            outcome, body = _handed_back(known)
            interrupted.append(self.unsuccessful.take(id, held, known, outcome, body))
        if returned:
            self._store.return_unstarted(returned)
        if interrupted:
            self._store.end_attempts(self.unsuccessful.end(interrupted, now, ended))
        self.ends(ended, now)

    def _unstarted(self, id: bytes, held: LeasedAttempt, now: Now, ended: list[Ended]) -> Returned:
        """A lease that ends before its attempt began: it does not count as an attempt. The task is ready again, or cancelled if that
        was requested meanwhile."""
        del self._running[id]
        is_cancelled = id in self.cancelling
        if is_cancelled:
            ended.append((IdRun(id, 1), held.route, RUNNING, CANCELLED, [None], held.origin))
        else:
            self._routes.move(held.route, RUNNING, READY, held.seq)
        if self.meters is not None:
            self.meters.came_back(held.route)
        finished = now.steady if is_cancelled else None
        return Returned(CANCELLED if is_cancelled else READY, finished, held.seq, held.attempt, held.lease)

    def lose(self, ids: Iterable[bytes], body: bytes, now: Now) -> None:
        """End attempts whose fate is unknown: their worker is lost."""
        ended: list[Ended] = []
        ids = list(ids)
        facts = self.unsuccessful.facts(ids)
        lost = [
            self.unsuccessful.take(id, held, facts[held.seq], OutcomeNumber.LOST, body)
            for id in ids
            if (held := self._running.get(id)) is not None
        ]
        if lost:
            self._store.end_attempts(self.unsuccessful.end(lost, now, ended))
        self.ends(ended, now)

    def cancel(self, tasks: Iterable[Found], now: Now, *, running: bool = True) -> list[Found]:
        """Cancel tasks that wait, and request it for those that run; returns each task once, with its new state."""
        reached: list[Found] = []
        ended: list[Ended] = []
        waiting: list[int] = []
        for found in tasks:
            if found.state == StateNumber.RUNNING:
                if running:
                    self._store.request_cancel(found.seq)  # a task of an array leaves it by this
                    # Memory follows the store: the order to cancel is of this task, not of its slice.
                    self._running.take_out(found.id)
                    self.cancelling.add(found.id)
                    self._leases.cancel_asked(found.id)
            # Waits: nothing runs that would have to agree, so it ends at once.
            elif not StateNumber(found.state).is_terminal:
                waiting.append(found.seq)
                ended.append((IdRun(found.id, 1), found.route, found.state, CANCELLED, [None], found.origin))
                found = found._replace(state=CANCELLED)
            reached.append(found)
        if waiting:
            self._store.cancel_waiting(waiting, now.steady)
        self.ends(ended, now)
        return reached

    def revive(self, tasks: Iterable[Found]) -> list[tuple[bytes, int]]:
        """Make terminal tasks that did not succeed ready again, with failures and crashes reset, or blocked, if what they need has
        not ended; returns the state of each. One whose needs failed stays as it is. Older ones first: others may need them."""
        reached: list[tuple[bytes, int]] = []
        for found in sorted(tasks, key=lambda one: one.seq):
            state = target = StateNumber(found.state)
            if state in REVIVABLE and (target := self._consulted.needs.revived(found)) != state:
                self._store.revive(found.seq, blocked=target == BLOCKED)
                # What it became before is forgotten: the new attempt decides.
                self._consulted.becomings.revived(found.seq)
                self._routes.move(found.route, state, target, found.seq)
                self._consulted.quotas.revived(found)
                if found.origin is not None:
                    self._endings.revived(found.origin, state)
            reached.append((found.id, int(target)))
        return reached

    def expire(self, now: Now, limit: int) -> int:
        """Expire tasks that were not started in time; returns how many."""
        ended = list(map(_expired, self._store.expire(now.steady, limit)))
        self.ends(ended, now)
        return sum(run.length for run, *_ in ended)

    def ends(self, tasks: list[Ended], now: Now) -> None:
        """The only place that raises ``Endings.ended``."""
        # Mostly nothing is: ids of all ends need not be made.
        if self.cancelling:
            self.cancelling.difference_update(id for task in tasks for id in task[0].ids())
        self._endings.ended(joined(tasks), now)  # after the store has them: who reads one then finds it ended


def _expired(row: Expired) -> Ended:
    run = IdRun(row.id, row.stop - row.seq)
    return run, row.route, row.state, EXPIRED, [None] * run.length, row.origin


def _was_accepted(store: Store, id: bytes, attempt: int, lease: bytes, outcome: int = SUCCESS) -> bool:
    """Whether this is a repeated report, whatever became of the task since. A report of a lease that was revoked is not:
    that attempt ended without a report, or with the one that it is handed back."""
    for found in store.find([id]):
        if found.state == SUCCEEDED and found.attempt == attempt and found.lease == lease:
            return True
        said = OUTCOMES_HANDED_BACK if outcome == OutcomeNumber.RELEASED else OUTCOMES_REPORTED
        return store.outcome_of_lease(found.seq, lease) in said
    return False


def _add_part(stale: list[Any], number: int, start: int, stop: int) -> None:
    """Of a slice. Neighbours that are stale become one row of the answer."""
    if stale and stale[-1][0] == number and stale[-1][2] == start:
        stale[-1][2] = stop
    else:
        stale.append([number, start, stop])


def _handed_back(facts: Facts, body: bytes | None = None) -> tuple[OutcomeNumber, bytes]:
    """How an attempt ends that had begun, and ends through no fault of its own. ``body``: what its worker says of that."""
    body = body or HANDED_BACK
    if not is_at_most_once(facts):
        return OutcomeNumber.RELEASED, body
    words = Failure.heading(body).message + ", and it may not be started twice"
    return OutcomeNumber.LOST, Failure("WorkerLost", words, detail={"outcome": "lost"}).encode()


def _references(
    needs: NeedsKeeper, running: LeasedTasks, blobs: Blobs, rows: list[Any], named: Any
) -> list[tuple[int, int]]:
    """Pairs of a task's row and the content that its result names. A result that names missing content becomes an error."""
    found: list[tuple[int, int]] = []
    for index, hashes in check_named(named):
        if type(index) is not int or not 0 <= index < len(rows):
            raise ProtocolError(f"blobs of report {brief(index)}, of {len(rows)}")
        id, attempt, lease, outcome = rows[index][:4]
        held = running.get(id)
        if held is None or (held.attempt, held.lease) != (attempt, lease):
            continue
        if outcome == SUCCESS and not (held.drops and not needs.is_needed(IdRun(id, 1))):
            try:
                found += [(held.seq, number) for number in blobs.numbers(hashes)]
            # A success that names what is gone would be read by no one: the attempt fails, and may be retried.
            except UnknownBlob as error:
                rows[index][3:5] = int(OutcomeNumber.ERROR), Failure("UnknownBlob", str(error)).encode()
    return found
