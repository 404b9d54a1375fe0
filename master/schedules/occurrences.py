"""The tasks that schedules make, and what becomes of them.

::

    instants of a schedule ─► make ─┬─► a task, with the id of (schedule, instant) ──ended──► its state, in the history
                                    ├─► held, while an earlier one has not ended ──that ends──► a task
                                    └─► skipped, with the reason

Task, history and the schedule's last instant are written in one transaction. The history is a row for each instant, of which the
newest are kept; of a run of skipped instants there is one row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from ...common.domain.columns import LaneColumns
from ...common.domain.ids import occurrence_id
from ...common.domain.model import TaskOptions
from ...common.domain.schedule import ScheduleDefinition
from ...common.errors import InvalidArgument
from ...common.wire.frames import pack
from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.schedules import OccurrenceRecord, ScheduleRow
from ..store.interface.store import Picture, Store
from ..tasks.completion import Completion
from ..tasks.dispatch import Dispatch
from ..tasks.origins import OF_SCHEDULES
from ..tasks.route import Route
from ..tasks.routes import Routes
from .decision import SkippedInstants
from .definitions import definition_of

BY_TIME, RUN_NOW, BACKFILL, SKIP = range(4)
SKIPPED: Final = -1
HELD_MAX: Final = 1_000  # occurrences of one schedule that wait for an earlier one
CANCELLED_MAX: Final = 100  # earlier ones that are cancelled for the next
KEPT: Final = 100  # rows of the history of one schedule, besides what has not ended
FORGOTTEN_EVERY: Final = 16  # tasks of it, after which older rows are deleted
RELEASED_MAX: Final = 1_000  # schedules that go on in one transaction
RELEASE: Final = "release"
STILL_RUNS: Final = "an earlier one has not ended"


class _SubmittedTogether(NamedTuple):
    """Tasks of schedules that are submitted together."""

    route: Route
    options: TaskOptions
    said: LaneColumns
    runs: list[tuple[bytes, list[bytes]]]


class Occurrences(Part):
    """``may_run``: why a schedule may not make tasks; empty: it may. ``shard``: of its tasks."""

    name = "occurrences that were held"

    def __init__(
        self,
        store: Store,
        routes: Routes,
        dispatch: Dispatch,
        completion: Completion,
        agenda: Agenda,
        may_run: Callable[[ScheduleRow], str],
        shard: int,
    ) -> None:
        self._tasks, self._store = store, store.schedules
        self._routes, self._dispatch, self._completion = routes, dispatch, completion
        self._agenda, self._may_run, self._shard = agenda, may_run, shard
        self._holding: set[int] = set()  # schedules with occurrences that wait for an earlier one
        self._free: dict[int, None] = {}  # of those, whose earlier one has ended
        self._are_unfinished = False
        self._just_ended: list[tuple[bytes, int]] = []
        self._records: list[OccurrenceRecord] = []
        self._groups: dict[tuple[int, bytes, str], _SubmittedTogether] = {}  # the last: by whose key

    def load(self, picture: Picture, now: Now) -> None:
        self._forget_transaction()
        self._are_unfinished = self._store.are_unfinished()
        self._holding = set(self._store.holding())
        self._free = dict.fromkeys(self._holding)  # whether an earlier one still runs is looked at
        self._release_soon(now)

    def void(self) -> Iterable[Session]:
        self._forget_transaction()
        return ()

    def _forget_transaction(self) -> None:
        self._just_ended.clear()
        self._records.clear()
        self._groups.clear()

    # made

    def make(
        self, row: ScheduleRow, definition: ScheduleDefinition, instants: Sequence[int], kind: int, now: Now
    ) -> int:
        """Decide these instants; how many get a task, now or later. ``flush`` writes it."""
        overlap = definition.overlap
        if overlap == "allow" or (kind != BY_TIME and overlap != "queue"):
            for instant in instants:
                self._submit(row, definition, instant, kind, now)
            return len(instants)
        if overlap == "cancel_running":
            return self._make_last(row, definition, instants, now)
        made = 0
        is_busy = bool(self._store.unfinished(row.number, 1) or self._store.held(row.number, 1))
        for instant in instants:
            if not is_busy:
                self._submit(row, definition, instant, kind, now)
                is_busy = True
            elif overlap == "skip":
                self.skip(row, SkippedInstants(instant, instant, 1), STILL_RUNS, now)
                continue
            elif not self._hold(row, instant, kind, now, self._id_of(row, definition.queue, instant)):
                continue
            made += 1
        return made

    def run(self, row: ScheduleRow, definition: ScheduleDefinition, token: bytes, now: Now) -> bytes:
        """Make a task now, whatever the time; its id. ``token`` names it: repeated, it is the same task."""
        id, instant = occurrence_id(row.name, definition.queue, b"run" + token, self._shard), now.wall
        if self._store.of_task(id) is not None:
            return id
        taken = {one.instant for one in self._store.history(row.number, KEPT) if one.kind == RUN_NOW}
        # Two runs of one millisecond would be one row of the history.
        while instant in taken:
            instant += 1
        is_busy = bool(self._store.unfinished(row.number, 1) or self._store.held(row.number, 1))
        if definition.overlap == "queue" and is_busy:
            if not self._hold(row, instant, RUN_NOW, now, id):
                raise InvalidArgument(
                    f"{HELD_MAX:,} runs of {row.name} wait already; cancel the one that runs"
                )
        else:
            self._submit(row, definition, instant, RUN_NOW, now, id)
        self.flush()
        return id

    def backfill(
        self, row: ScheduleRow, definition: ScheduleDefinition, instants: Sequence[int], now: Now
    ) -> list[bytes]:
        """Make tasks for those of the instants that have none; the ids of all of them."""
        if not instants:
            return []
        ids = {instant: self._id_of(row, definition.queue, instant) for instant in instants}
        decided = self._store.occurred(row.number, instants[0], instants[-1])  # maybe in another queue
        ids |= {instant: decided.get(instant, id) for instant, id in ids.items()}
        there = {found.id for found in self._tasks.find(ids.values())}
        missing = [one for one, id in ids.items() if id not in there and one not in decided]
        self.make(row, definition, missing, BACKFILL, now)
        self.flush()
        return list(ids.values())

    def _make_last(
        self, row: ScheduleRow, definition: ScheduleDefinition, instants: Sequence[int], now: Now
    ) -> int:
        *earlier, last = instants
        for instant in earlier:
            self.skip(row, SkippedInstants(instant, instant, 1), "a later one takes its place", now)
        running = self._store.unfinished(row.number, CANCELLED_MAX)
        if running:
            self._completion.cancel(self._tasks.find(running), now)
        self._submit(row, definition, last, BY_TIME, now)
        return 1

    def _hold(self, row: ScheduleRow, instant: int, kind: int, now: Now, id: bytes) -> bool:
        self._write()
        # Written before: what this transaction has held counts.
        if len(self._store.held(row.number, HELD_MAX)) >= HELD_MAX:
            why = f"{HELD_MAX:,} occurrences wait already"
            self.skip(row, SkippedInstants(instant, instant, 1), why, now)
            return False
        self._record(row, instant, kind, id, now, held=1)
        self._holding.add(row.number)
        self._are_unfinished = True
        return True

    def _submit(
        self,
        row: ScheduleRow,
        definition: ScheduleDefinition,
        instant: int,
        kind: int,
        now: Now,
        id: bytes = b"",
    ) -> None:
        id = id or self._id_of(row, definition.queue, instant)
        self._record(row, instant, kind, id, now)
        self._are_unfinished = True
        route = self._routes.route(definition.queue, definition.task)
        options = definition.task_options
        if definition.jitter and kind == BY_TIME:
            start = instant / 1000 + options.delay + definition.jitter * _share(id)
            options = replace(options, delay=0.0, at=start)
        key = route.number, pack([options.to_wire(), definition.columns]), row.key
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _SubmittedTogether(route, options, definition.lane_columns, [])
        group.runs.append((id, [definition.payload]))

    def _record(
        self, row: ScheduleRow, instant: int, kind: int, task: bytes, now: Now, *, held: int = 0
    ) -> None:
        when = row.number, instant, kind, instant, 1, now.wall
        self._records.append(OccurrenceRecord(*when, task, held, None, None, None, ""))

    def skip(self, row: ScheduleRow, what: SkippedInstants, why: str, now: Now) -> None:
        """Note that these instants get no task."""
        shown = f"{why} (and earlier ones)" if what.are_more else why
        when = row.number, what.last, SKIP, what.first, what.instants, now.wall
        self._records.append(OccurrenceRecord(*when, None, 0, SKIPPED, None, None, shown))

    def flush(self) -> None:
        """Write what was decided, and submit the tasks."""
        self._write()
        groups, self._groups = self._groups, {}
        for (*_, key), (route, options, said, runs) in groups.items():
            self._dispatch.submit_own(route, options, runs, OF_SCHEDULES, said=said, key=key)

    def _write(self) -> None:
        records, self._records = self._records, []
        self._store.record(records)

    def forget_old(self, row: ScheduleRow, made: int) -> None:
        """Now and then: delete what stands behind the newest of the history."""
        if row.fired % FORGOTTEN_EVERY + made >= FORGOTTEN_EVERY:
            self._write()
            self._store.forget(row.number, KEPT)

    # ended

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Some of these may be of schedules."""
        if self._are_unfinished:
            self._just_ended += [
                (id, state)
                for run, _, _, state, _, origin in tasks
                if origin == OF_SCHEDULES
                for id in run.ids()
            ]

    def revived(self, origin: int, state: int) -> None:
        """A task that had ended goes on, by hand: how it ends is noted again."""
        self._are_unfinished |= origin == OF_SCHEDULES

    def settle(self, now: Now) -> None:
        if not self._just_ended:
            return
        ended, self._just_ended = self._just_ended, []
        seqs = {found.id: found.seq for found in self._tasks.find([id for id, _ in ended])}
        for id, state in ended:
            task = self._tasks.brief(seqs[id]) if id in seqs else None  # one that was purged is gone
            times = (None, None) if task is None else (task.started, task.finished)
            self._store.ended(id, state, *times)
            if self._holding:
                record = self._store.of_task(id)
                if record is not None and record.schedule in self._holding:
                    self._free[record.schedule] = None
        self._release_soon(now)

    # held

    def _release_soon(self, now: Now) -> None:
        if self._free:
            self._agenda.set(self, RELEASE, now.mono)

    def resumed(self, number: int, now: Now) -> None:
        """It may make tasks again."""
        if number in self._holding:
            self._free[number] = None
            self._release_soon(now)

    def due(self, key: Hashable, now: Now) -> None:
        """Make the tasks that were held, of schedules whose earlier one has ended."""
        for number in list(self._free)[:RELEASED_MAX]:
            del self._free[number]
            self._release(number, now)
        self.flush()
        self._release_soon(now)

    def _release(self, number: int, now: Now) -> None:
        row, held = self._store.get(number), self._store.held(number, 2)  # a second one: it goes on holding
        if row is None or not held:
            self._holding.discard(number)
            return
        if row.paused or self._store.unfinished(number, 1) or self._may_run(row):
            return  # it goes on when it is resumed, or when that has ended
        first = held[0]
        self._submit(row, definition_of(row), first.instant, first.kind, now, first.task or b"")
        if len(held) == 1:
            self._holding.discard(number)

    def _id_of(self, row: ScheduleRow, queue: str, instant: int) -> bytes:
        """Of the task for an instant: the same at its time and in a backfill."""
        return occurrence_id(row.name, queue, b"at" + instant.to_bytes(8, "big"), self._shard)


def _share(id: bytes) -> float:
    """A number from 0 to 1 that is always the same for an occurrence."""
    return int.from_bytes(hashlib.sha256(id).digest()[:4], "big") / 2**32
