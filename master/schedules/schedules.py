"""Schedules: which are due, and what people and programs do with them.

::

    a row with ``fires`` ──the wall's clock comes there──► due ─► decide ─► Occurrences: tasks, history ─┐
      ▲                                                                                                  │ one transaction
      └──────────────── its last instant, and the next one ◄─────────────────────────────────────────────┘

The rows are in the store; in memory is the nearest moment of all. A schedule acts by the key of its maker: if that no longer
covers its queue, it pauses instead of firing.

Invariants: 1. no instant up to ``last`` of a row is decided again; 2. an instant's tasks and the row's ``last`` are one
transaction; 3. a pause ends by a person's word, or when the master's reason for it is gone.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, Final

from ...common.domain.model import check_name
from ...common.domain.recurrence import MOMENT_MS_MAX
from ...common.domain.schedule import ScheduleDefinition, check_fields, laid_over
from ...common.errors import InvalidArgument, QuotaExceeded
from ...common.runtime.limited_log import LimitedLog
from ...common.wire.frames import pack
from ..engine.accounts import Account
from ..engine.agenda import Agenda, Clock
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..engine.work import Work
from ..store.interface.schedules import Decided, NewSchedule, ScheduleRow
from ..store.interface.store import Picture, Store
from ..tasks.routes import Routes
from ..tasks.scheduled import Nearest
from .decision import Decision, SkippedInstants, decide, instants_between
from .definitions import definition_of, edits_of, packed
from .occurrences import BY_TIME, Occurrences

SCHEDULES_MAX: Final = 200_000  # rows of up to 64 KiB; at rest they cost nothing
KEY_SCHEDULES_MAX: Final = 100_000  # of them one key may make
FIRED_MAX: Final = 500  # schedules in one transaction
LOOKED_MAX: Final = 5_000  # instants that are computed in one transaction, some 50 µs each
BACKFILLED_MAX: Final = 1_000  # instants of one backfill
FIRE: Final = "fire"
PAUSED_BY_PERSON, PAUSED_BY_MASTER = 1, 2


class Timetable(Part):
    """``why_not``: why a schedule may make no tasks; empty: it may. ``work``: what one transaction may do for those that are due."""

    name = "schedules that are due"

    def __init__(
        self,
        store: Store,
        routes: Routes,
        occurrences: Occurrences,
        agenda: Agenda,
        report: Callable[..., None],
        why_not: Callable[[ScheduleRow], str],
        work: Work,
    ) -> None:
        self._store, self._routes, self._occurrences = store.schedules, routes, occurrences
        self.why_not, self._work = why_not, work
        self._skipped, self._paused = (
            LimitedLog(report, "schedule.skipped"),
            LimitedLog(report, "schedule.paused"),
        )
        self._nearest = Nearest(agenda, self, FIRE, Clock.WALL)
        self._of_key: Counter[str] = Counter()

    def load(self, picture: Picture, now: Now) -> None:
        self._nearest.set(self._store.next_fire())
        self._of_key = Counter(self._store.counts())

    # due

    def due(self, key: Hashable, now: Now) -> None:
        left, decided = LOOKED_MAX, []
        self._work.begin()
        for row in self._store.due(now.wall, FIRED_MAX):
            if left <= 0 or not self._work.is_left:
                break
            why_not = self.why_not(row)
            if why_not:
                self._pause(row, why_not, now)
                continue
            try:
                definition = definition_of(row)
                decision = decide(definition.recurrence, row.fires or 0, now.wall, definition.misfire)
            except InvalidArgument as error:  # a zone that this host no longer knows
                self._pause(row, str(error), now)
                continue
            left -= decision.looked
            self._work.asked(2 * len(decision.fire))
            decided.append(self._decide(row, definition, decision, now))
        self._store.decided(decided)
        self._occurrences.flush()
        self._nearest.set(self._store.next_fire())

    def _decide(
        self, row: ScheduleRow, definition: ScheduleDefinition, decision: Decision, now: Now
    ) -> Decided:
        if decision.skipped is not None:
            self._skip(row, decision.skipped, f"missed; its policy is {definition.misfire}", now)
        made = 0
        if decision.fire:
            made = self._occurrences.make(row, definition, decision.fire, BY_TIME, now)
            self._occurrences.forget_old(row, made)
        return Decided(decision.last, decision.next, made, row.number)

    def _skip(self, row: ScheduleRow, what: SkippedInstants, why: str, now: Now) -> None:
        self._occurrences.skip(row, what, why, now)
        first, last = map(_shown, (what.first, what.last))
        fields = {"instants": what.instants, "first": first, "last": last, "why": why}
        self._skipped.write(now.mono / 1000, schedule=row.name, **fields)

    def _pause(self, row: ScheduleRow, why: str, now: Now) -> None:
        self._store.put(row._replace(fires=None, paused=PAUSED_BY_MASTER, reason=why, since=now.steady))
        self._paused.write(now.mono / 1000, schedule=row.name, why=why)

    # made and changed

    def find(self, name: str) -> ScheduleRow | None:
        return self._store.find(check_name("schedule", name))

    def add(
        self, name: str, definition: ScheduleDefinition, session: Session, now: Now, *, declared: bool = False
    ) -> ScheduleRow:
        """A new one of the session's key, whose first instant is after now. Raises QuotaExceeded."""
        check_name("schedule", name)
        key = session.verifier.key_id
        if self._of_key[key] >= KEY_SCHEDULES_MAX or self._of_key.total() >= SCHEDULES_MAX:
            raise QuotaExceeded(
                f"this key has {self._of_key[key]:,} schedules of {self._of_key.total():,}; at most {KEY_SCHEDULES_MAX:,} of a key "
                f"and {SCHEDULES_MAX:,} together: remove some, tq schedule rm NAME"
            )
        self._routes.route(definition.queue, definition.task, session.account)
        fires = definition.recurrence.after(now.wall)
        self._store.add(NewSchedule(name, key, packed(definition), int(declared), now.wall, now.wall, fires))
        self._of_key[key] += 1
        self._nearest.expect(fires)
        return self._there(name)

    def put(self, row: ScheduleRow) -> ScheduleRow:
        """Replace a row by one that was changed."""
        before = self._store.get(row.number)
        if before is not None and before.key != row.key:
            self._of_key[before.key] -= 1
            self._of_key[row.key] += 1
        self._store.put(row)
        self._nearest.expect(row.fires)
        return row

    def edit(
        self, row: ScheduleRow, changes: dict[str, Any], account: Account, now: Now, *, reset: bool = False
    ) -> ScheduleRow:
        """What is changed outlives what workers declare; with ``reset`` they are asked again first."""
        check_fields(changes)
        said = definition_of(row).lane_columns
        if "payload" in changes and (said.tenant or any(column.texts != ("",) for _, column in said.limits)):
            raise InvalidArgument(
                "its limits or its tenant were computed from its arguments when it was declared; to have other arguments, change them "
                "there, or add another schedule"
            )
        if reset:
            row = row._replace(edits=None)
        definition = definition_of(row).changed(changes)
        if row.declared:
            edits = laid_over(edits_of(row), changes)
            row = row._replace(edits=pack(edits) if edits else None)
        else:
            row = row._replace(base=packed(definition))
        return self.redefined(row, account, now)

    def redefined(self, row: ScheduleRow, account: Account, now: Now) -> ScheduleRow:
        """It says something else from now on: earlier instants of its new rule were never promised. ``account``: of who says so,
        which pays for the name of its task. Raises QuotaExceeded."""
        definition = definition_of(row)
        self._routes.route(definition.queue, definition.task, account)
        if row.fires is not None or not (row.paused or row.orphaned):
            last = max(row.last, now.wall)
            row = row._replace(last=last, fires=definition.recurrence.after(last))
        return self.put(row)

    def pause(self, row: ScheduleRow, reason: str, now: Now) -> None:
        since = row.since if row.paused == PAUSED_BY_PERSON else now.steady
        self.put(row._replace(fires=None, paused=PAUSED_BY_PERSON, reason=reason, since=since))

    def resume(self, row: ScheduleRow, key: str, now: Now) -> None:
        """From now on: the instants of the pause are skipped. ``key``: of the caller, by which it acts if its own may not."""
        if not row.paused:
            return
        definition = definition_of(row)
        if self.why_not(row):
            row = row._replace(key=key)
        missed = definition.recurrence.after(row.last)
        if missed is not None and missed <= now.wall:
            decision = decide(definition.recurrence, missed, now.wall, "skip")
            latest = decision.last
            what = decision.skipped
            instants = (what.instants if what else 0) + len(decision.fire)
            more = bool(what and what.are_more)
            skipped = SkippedInstants(missed, latest, instants, more)
            self._occurrences.skip(row, skipped, "it was paused", now)
            self._occurrences.flush()
        last = max(row.last, now.wall)
        fires = definition.recurrence.after(last)
        self.put(row._replace(last=last, fires=fires, paused=0, reason="", since=None))
        self._occurrences.resumed(row.number, now)

    def delete(self, row: ScheduleRow) -> None:
        self._store.drop(row.number)
        self._of_key[row.key] -= 1

    def backfill(self, row: ScheduleRow, first: int, last: int, now: Now) -> list[bytes]:
        """Make tasks for the instants from ``first`` to ``last`` that have none; the ids of all of them."""
        if not 0 <= first <= last < MOMENT_MS_MAX:
            raise InvalidArgument("a backfill is from an earlier moment to a later one")
        if last > now.wall:
            raise InvalidArgument("a backfill ends in the past: what is still to come comes by itself")
        definition = definition_of(row)
        found = instants_between(definition.recurrence, first, last, BACKFILLED_MAX + 1)
        if len(found) > BACKFILLED_MAX:
            raise InvalidArgument(
                f"there are more than {BACKFILLED_MAX:,} instants of {row.name} in this time; backfill it in portions"
            )
        return self._occurrences.backfill(row, definition, found, now)

    def _there(self, name: str) -> ScheduleRow:
        row = self._store.find(name)
        assert row is not None  # noqa: S101 - it was written a moment ago
        return row


def _shown(moment: int) -> str:
    return datetime.datetime.fromtimestamp(moment / 1000, datetime.UTC).isoformat(timespec="seconds")
