"""How attempts end: what a worker reports, what a lost worker leaves behind, what a cancel asks for.

Every end is checked twice: here against the picture in memory (whose lease is it?), and by the store's
conditional update. A report that is not of the current attempt and lease is *stale*: it changes nothing
and its sender is told so. A report that was accepted before and comes again is neither.

Invariants: 1. at most one result is accepted per task, of its current attempt; 2. result, count and
acknowledgement are one transaction; 3. whoever watches the task hears of its end in that transaction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable
from types import NoneType
from typing import Any, Final

from ..common.errors import InvalidArgument, ProtocolError, UnknownBlob, UnknownTask
from ..common.failure import Failure
from ..common.frames import unpack
from ..common.ids import show_id
from ..common.lifecycle import AttemptEnd, next_step
from ..common.model import Delivery, OutcomeNumber, StateNumber, TaskOptions
from .blobs.keeper import Keeper, check_named
from .clock import Now
from .gauges import Failed, LastFailures
from .intake import Intake
from .lanes import Lanes
from .meters import Meters
from .running import Running
from .store.interface import EndedAttempt, Found, Store, Success
from .watches import Watches

SUCCESS: Final = int(OutcomeNumber.SUCCESS)
OUTCOMES_OF_WORKERS: Final = frozenset(OutcomeNumber) - {OutcomeNumber.LOST}
FAILURES: Final = frozenset({StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST})
ERROR_CHARS_MAX: Final = 200  # of one, in the list of what failed last
SECONDS_MAX: Final = 1e9  # a duration beyond this is a broken clock
INTERRUPTED: Final = Failure(
    type="WorkerLost",
    message="its worker was told to end at once while it ran, and it may not be started twice",
    detail={"outcome": "lost"},
).encode()


class Ends:
    """Ends attempts and cancels tasks, for every reason there is."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        running: dict[bytes, Running],
        intake: Intake,
        watches: Watches,
        blobs: Keeper,
        random: Callable[[], float],
    ) -> None:
        self._store, self._lanes, self._running = store, lanes, running
        self._intake, self._watches, self._blobs, self._random = intake, watches, blobs, random
        self.meters: Meters | None = None
        self.last_failures = LastFailures()
        self.cancelling: set[bytes] = set()  # running tasks whose cancel was asked for
        self.fed: Container[int] = ()  # lanes whose tasks were items of a queue: see feeds.py
        self.fed_ended: Callable[[int, int, bytes | None], None] = _nobody

    def finish(self, rows: list[Any], now: Now, named: Any = None) -> list[int]:
        """Take a worker's report; the indices of rows that were stale. ``named``: the content of results, by index."""
        check_reports(rows)  # all are judged before one is believed: memory has no rollback
        references = self._references(rows, named) if named else None
        if self.meters is not None:
            self.meters.reported(rows, self._running)
        stale: list[int] = []
        successes: list[Success] = []
        others: list[EndedAttempt] = []
        ended: list[int] = []  # lanes
        running, wall = self._running, now.wall
        for index, (id, attempt, lease, outcome, body, _, seconds, after) in enumerate(rows):
            held = running.get(id)
            if held is None or held.attempt != attempt or held.lease != lease:
                if not self._was_accepted(id, attempt, lease):
                    stale.append(index)
            elif outcome == SUCCESS:
                successes.append((body, wall - int(seconds * 1000), wall, held.seq, attempt, lease))
                self._leave(id, held, StateNumber.SUCCEEDED, body)
                ended.append(held.lane)
            else:
                others.append(self._unsuccessful(id, held, OutcomeNumber(outcome), body, seconds, after, now))
                ended.append(held.lane)
        if successes:
            self._store.succeed(successes)
        if references:
            self._store.blobs.name(references)
        if others:
            self._store.end_attempts(others)
        if self.meters is not None:
            self.meters.stale += len(stale)
        self._lanes.ended(ended, now.mono)
        return stale

    def _references(self, rows: list[Any], named: Any) -> list[tuple[int, int]]:
        """Which task's row names which content from now on. A result that names what is not here is none."""
        found: list[tuple[int, int]] = []
        for index, hashes in check_named(named):
            if type(index) is not int or not 0 <= index < len(rows):
                raise ProtocolError(f"blobs of report {index!r:.40}, of {len(rows)}")
            id, attempt, lease, outcome = rows[index][:4]
            held = self._running.get(id)
            if outcome == SUCCESS and held is not None and (held.attempt, held.lease) == (attempt, lease):
                try:
                    found += [(held.seq, number) for number in self._blobs.numbers(hashes)]
                except UnknownBlob as error:
                    rows[index][3:5] = int(OutcomeNumber.ERROR), Failure("UnknownBlob", str(error)).encode()
        return found

    def release(self, rows: list[Any], now: Now, *, begun: bool = False) -> None:
        """A worker hands back what it has not started; what is no longer its own is passed over.

        ``begun``: it had, and was told to end at once. Nobody is charged, but an at_most_once task is lost.
        """
        mine: list[bytes] = []
        for row in rows:
            match row:
                case [bytes(id), int(attempt), bytes(lease)]:
                    held = self._running.get(id)
                    if held is not None and held.attempt == attempt and held.lease == lease:
                        mine.append(id)
                case _:
                    raise ProtocolError(f"not a held lease: {row!r:.200}")
        if begun:
            self.take_back(
                [id for id in mine if self._is_at_most_once(id)], OutcomeNumber.LOST, INTERRUPTED, now
            )
        self.take_back(mine, OutcomeNumber.RELEASED, None, now)

    def take_back(self, ids: Iterable[bytes], outcome: OutcomeNumber, body: bytes | None, now: Now) -> None:
        """End leases without a report: RELEASED (certainly not started) or LOST (nobody knows)."""
        rows = [
            self._unsuccessful(id, held, outcome, body, None, None, now)
            for id in ids
            if (held := self._running.get(id)) is not None
        ]
        if rows:
            self._store.end_attempts(rows)

    def cancel(
        self, ids: list[bytes], allows: Callable[[str], bool], now: Now, *, running: bool = True
    ) -> list[Found]:
        """Cancel what waits, note it for what runs; the tasks as they were found, with the state reached."""
        reached: list[Found] = []
        for found in self._store.find(ids):
            lane = self._lanes.by_number[found.lane]
            if not allows(lane.queue.name):
                continue
            if found.state == StateNumber.RUNNING:
                if running:
                    self._store.request_cancel(found.seq)
                    self.cancelling.add(found.id)
            elif not StateNumber(found.state).is_terminal:
                self._store.cancel_waiting(found.seq, now.wall)
                self._lanes.move(found.lane, found.state, StateNumber.CANCELLED)
                self._watches.ended(found.id, StateNumber.CANCELLED, None)
                if self.meters is not None:
                    self.meters.ended(found.lane, StateNumber.CANCELLED)
                found = found._replace(state=StateNumber.CANCELLED)
            reached.append(found)
        return reached

    def revive(self, ids: list[bytes], allows: Callable[[str], bool]) -> list[tuple[bytes, int]]:
        """Make terminal tasks that did not succeed ready again, with a clean record."""
        reached: list[tuple[bytes, int]] = []
        for found in self._store.find(ids):
            if not allows(self._lanes.by_number[found.lane].queue.name):
                continue
            state = StateNumber(found.state)
            if state.is_terminal and state != StateNumber.SUCCEEDED:
                self._store.revive(found.seq)
                self._lanes.move(found.lane, state, StateNumber.READY)
                state = StateNumber.READY
            reached.append((found.id, int(state)))
        return reached

    def expire(self, now: Now, limit: int) -> int:
        """Tasks that were not started in time; how many."""
        expired = self._store.expire(now.wall, limit)
        for id, lane, before in expired:
            self._lanes.move(lane, before, StateNumber.EXPIRED)
            self._watches.ended(id, StateNumber.EXPIRED, None)
            if self.meters is not None:
                self.meters.ended(lane, StateNumber.EXPIRED)
        return len(expired)

    def _unsuccessful(
        self,
        id: bytes,
        held: Running,
        outcome: OutcomeNumber,
        body: bytes | None,
        seconds: float | None,
        after: float | None,
        now: Now,
    ) -> EndedAttempt:
        facts = self._store.facts(held.seq)
        end = AttemptEnd(
            outcome=outcome,
            failures=facts.failures,
            crashes=facts.crashes,
            cancel_requested=bool(facts.cancel),
            options=TaskOptions.from_wire(unpack(facts.options)) if facts.options else TaskOptions(),
            after_seconds=after,
        )
        step = next_step(end, self._random())
        if self.meters is not None:
            self.meters.attempt_ended(held.lane, outcome, step.state)
        due = None
        if step.state == StateNumber.SCHEDULED:
            due = now.wall + int(step.delay_seconds * 1000)
            self._intake.expect_due(due)
        final = body if step.state.is_terminal else None
        if step.state == StateNumber.DEAD:
            final = _quarantined(step.crashes, body)
        self._leave(id, held, step.state, final)
        if step.state in FAILURES:
            failure = Failure.decode(final)
            error = f"{failure.type}: {failure.message}"[:ERROR_CHARS_MAX]
            self.last_failures.note(Failed(now.wall, id, held.lane, int(step.state), error))
        return EndedAttempt(
            seq=held.seq,
            attempt=held.attempt,
            lease=held.lease,
            worker=held.worker,
            outcome=int(outcome),
            started=None if seconds is None else now.wall - int(seconds * 1000),
            ended=now.wall,
            body=final if step.state == StateNumber.DEAD else body,
            state=int(step.state),
            due=due,
            failures=step.failures,
            crashes=step.crashes,
            finished=now.wall if step.state.is_terminal else None,
        )

    def _is_at_most_once(self, id: bytes) -> bool:
        options = self._store.facts(self._running[id].seq).options
        return (
            options is not None and TaskOptions.from_wire(unpack(options)).delivery == Delivery.AT_MOST_ONCE
        )

    def _leave(self, id: bytes, held: Running, state: StateNumber, body: bytes | None) -> None:
        """A task is no longer running: in memory, for the counts, and for those who watch it."""
        del self._running[id]
        self.cancelling.discard(id)
        counts = self._lanes.by_number[held.lane].counts
        counts[StateNumber.RUNNING] -= 1
        counts[state] += 1
        if state >= StateNumber.SUCCEEDED:
            self._watches.ended(id, int(state), body)
            if held.lane in self.fed:
                self.fed_ended(held.lane, int(state), body)

    def _was_accepted(self, id: bytes, attempt: int, lease: bytes) -> bool:
        return any(
            found.attempt == attempt and found.lease == lease and found.state != StateNumber.RUNNING
            for found in self._store.find([id])
        )


def known(store: Store, id: bytes) -> Found:
    """The task of an id; raises UnknownTask."""
    for found in store.find([id]):
        return found
    raise UnknownTask(f"no task has the id {show_id(id)}: never submitted here, or kept no longer")


def check_reports(rows: list[Any]) -> None:
    """Judge reports ``[id, attempt, lease, outcome, body, started, seconds, after]``; raises ProtocolError.

    In columns, because one is made for every task there is; only when something is wrong, row by row.
    """
    if not (set(map(type, rows)) <= {list} and set(map(len, rows)) <= {8} and _are_reports(rows)):
        for row in rows:
            if type(row) is not list or len(row) != 8 or not _are_reports([row]):
                raise ProtocolError(f"not a report of an attempt: {row!r:.200}")


def _are_reports(rows: list[list[Any]]) -> bool:
    if not rows:
        return True
    ids, attempts, leases, outcomes, bodies, started, seconds, afters = zip(*rows, strict=True)
    return (
        set(map(type, ids)) == {bytes} == set(map(type, leases))
        and set(map(type, attempts)) == {int} == set(map(type, outcomes))
        and set(map(type, bodies)) <= {bytes, NoneType}
        and set(map(type, started)) | set(map(type, seconds)) <= {float, int}
        and set(map(type, afters)) <= {float, int, NoneType}
        and OUTCOMES_OF_WORKERS.issuperset(outcomes)
        and min(seconds) >= 0
        and math.isfinite(sum(seconds))  # finds NaN, which no comparison does
        and max(seconds) <= SECONDS_MAX
        and all(math.isfinite(after) and after <= SECONDS_MAX for after in set(afters) - {None})
    )


def _quarantined(crashes: int, body: bytes | None) -> bytes:
    """The failure a dead task shows: how often its process died, and how the last time went."""
    last = Failure.decode(body) if body is not None else Failure(type="", message="its worker vanished")
    deaths = f"died {crashes} times; the last time" if crashes != 1 else "died"
    return Failure(
        type="TaskCrashed",
        message=f"quarantined: the process running it {deaths}: {last.message}",
        traceback=last.traceback,
        detail=last.detail,
    ).encode()


def check_ids(ids: Any) -> list[bytes]:
    """A list of task ids from the wire; raises InvalidArgument."""
    if isinstance(ids, list) and all(isinstance(id, bytes) and len(id) == 16 for id in ids):
        return ids
    raise InvalidArgument("ids must be a list of 16-byte task ids")


def _nobody(lane: int, state: int, body: bytes | None) -> None:
    """No lane is fed: nobody is told."""
