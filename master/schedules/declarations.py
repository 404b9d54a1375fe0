"""Schedules that workers have in their code: accepted, changed, orphaned.

::

    declare ─► new: added · as accepted: kept · changed, and no worker declares the accepted one: changed
            └► changed, and another worker still declares the accepted one: that stays, until its last worker is gone
    no worker declares it any more ─► orphaned: it fires for another ORPHANED_MS, then it stops
                                    └► a worker declares it in another shard: it stops at once, since it fires there
    declared again ─► it goes on, and its policy decides about what was missed

What an operator has changed lies over what is declared, and stays. In memory are the declarations of workers that are connected or
have just been; they are paid for by their key. Every connection of a worker begins with its declarations.

Invariant: a worker whose key does not cover the queue of a schedule, or the one that it declares for it, has no part in that
schedule, at once or later: see ``_of_schedule``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from ...common.contract.schedules import DeclaredRow, NotAccepted
from ...common.domain.schedule import DeclaredSchedule, ScheduleDefinition
from ...common.errors import InvalidArgument, QuotaExceeded, TqError
from ...common.runtime.limited_log import LimitedLog
from ...common.wire.frames import pack
from ..engine.accounts import Account, Resource
from ..engine.agenda import Agenda, Clock
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.refusals import voids
from ..engine.session import Session
from ..store.interface.schedules import ScheduleRow
from ..store.interface.store import Picture, Store
from .definitions import definition_of, packed
from .schedules import PAUSED_BY_MASTER, Timetable

DECLARED_MAX: Final = 1_000  # of one worker
DECIDED_MAX: Final = 100  # in one transaction: a rule whose days are years apart takes some milliseconds
DECLARATION_BYTES: Final = 256  # of memory for one, besides its definition
ABSENT_MS: Final = 30_000  # a worker that was away for longer declares nothing
STARTED_MS: Final = 60_000  # after a start workers have so long to declare their schedules
ORPHANED_MS: Final = 3_600_000  # and so long one goes on that none declares
SWEPT_MAX: Final = 500  # rows in one transaction
SWEEP, ORPHANS = "sweep", "orphans"


@dataclass(slots=True)
class Declaring:
    """A worker and what it declares: by name, the definition packed. ``elsewhere``: names of what it declares in other shards."""

    session: Session
    account: Account
    size_bytes: int = 0
    definitions: dict[str, bytes] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()


class Declarations(Part):
    name = "schedules that no worker declares"

    def __init__(
        self, store: Store, schedules: Timetable, agenda: Agenda, report: Callable[..., None]
    ) -> None:
        self._store, self._schedules, self._agenda = store.schedules, schedules, agenda
        self._changed = LimitedLog(report, "schedule.changed", level="info")
        self._stopped = LimitedLog(report, "schedule.stopped")
        self._of: dict[bytes, Declaring] = {}  # by node, the one that declared last at the end
        self._nodes: dict[str, dict[bytes, None]] = {}  # by the name of a schedule
        self._swept = 0  # the number up to which rows were looked at

    def load(self, picture: Picture, now: Now) -> None:
        self._swept = 0
        if self._store.declared(0, 1):
            self._agenda.set(self, SWEEP, now.mono + STARTED_MS)
        self._expect_orphans()

    # workers

    def declare(
        self, session: Session, rows: Sequence[DeclaredRow], elsewhere: frozenset[str] = frozenset()
    ) -> list[DeclaredRow | str]:
        """A worker says all that it has in its code. What is to be decided of it: its rows, then names that it has here no more."""
        size = sum(len(pack(one.definition)) + DECLARATION_BYTES for one in rows)
        size += len(elsewhere) * DECLARATION_BYTES
        session.account.take(Resource.ANNOUNCED_BYTES, size)
        before = self._forget(session.node)
        if rows or elsewhere:
            self._of[session.node] = Declaring(session, session.account, size, elsewhere=elsewhere)
        self._agenda.set(self, session.node, None)
        return [*rows, *sorted((before | elsewhere) - {one.name for one in rows})]

    def decide(self, session: Session, items: Iterable[DeclaredRow | str], now: Now) -> list[NotAccepted]:
        """Some of these; those that are not as they are declared, with the reason."""
        found: list[NotAccepted] = []
        for item in items:
            if isinstance(item, str):
                self._gone([item], now)
            elif why := self._judge(session, item, now):
                found.append(NotAccepted(item.name, why))
        return found

    def _judge(self, session: Session, row: DeclaredRow, now: Now) -> str:
        """Why it is not as it is declared; empty: it is."""
        try:
            declared = DeclaredSchedule(row.name, ScheduleDefinition.from_wire(row.definition))
        except InvalidArgument as error:
            return str(error)
        queue, declaring = declared.definition.queue, self._of.get(session.node)
        if not session.allows_queue(queue):  # it is refused, and not taken later
            return f"the worker's key does not cover its queue {queue}"
        if declaring is not None and declaring.session is session:
            declaring.definitions[row.name] = packed(declared.definition)
            self._nodes.setdefault(row.name, {})[session.node] = None
        return self._accept(session, declared, now)

    def differing(self, row: ScheduleRow) -> int:
        """How many connected workers declare it differently."""
        return sum(one.definitions[row.name] != row.base for one in self._connected(row))

    def declarers(self, row: ScheduleRow) -> int:
        """How many connected workers declare it."""
        return len(self._connected(row))

    def _connected(self, row: ScheduleRow) -> list[Declaring]:
        return [one for one in self._of_schedule(row) if one.session.open]

    def _of_schedule(self, row: ScheduleRow) -> list[Declaring]:
        """The workers that declare it and whose keys cover its queue."""
        queue = definition_of(row).queue
        declaring = (self._of[node] for node in self._nodes.get(row.name, ()))
        return [one for one in declaring if one.session.allows_queue(queue)]

    def _accept(self, session: Session, declared: DeclaredSchedule, now: Now) -> str:
        """Why it is not as it is declared; empty: it is."""
        name, definition = declared.name, declared.definition
        row = self._schedules.find(name)
        try:
            if row is None:
                self._schedules.add(name, definition, session, now, declared=True)
                return ""
            if not row.declared:
                return "a schedule of this name was added at run time; give one of them another name, or: tq schedule rm"
            if not session.allows_queue(definition_of(row).queue):
                return "a schedule of this name is in a queue that the worker's key does not cover; give it another name"
            return self._redeclared(session, row, definition, now)
        except TqError as error:
            if voids(error):
                raise
            return str(error)  # no room

    def _redeclared(
        self, session: Session, row: ScheduleRow, definition: ScheduleDefinition, now: Now
    ) -> str:
        base = packed(definition)
        if self._schedules.why_not(row):
            row = row._replace(key=session.verifier.key_id)
            if row.paused == PAUSED_BY_MASTER:
                row = row._replace(paused=0, reason="", since=None)
        if base == row.base:
            self._put_live(row)
            return ""
        if any(one.definitions[row.name] == row.base for one in self._of_schedule(row)):
            return (
                "other workers declare it differently, and what was accepted stays as long as they are here"
            )
        self._change(row, base, session.account, now)
        return ""

    def _put_live(self, row: ScheduleRow) -> None:
        """It is declared. What it missed meanwhile its policy decides, if it had stopped."""
        fires = row.fires
        if fires is None and not row.paused:
            fires = definition_of(row).recurrence.after(row.last)
        live = row._replace(orphaned=None, fires=fires)
        if live != self._store.get(row.number):
            self._schedules.put(live)

    def _change(self, row: ScheduleRow, base: bytes, account: Account, now: Now) -> None:
        """``account``: of the worker that declares it so. Raises QuotaExceeded."""
        was_stopped = row.fires is None
        row = row._replace(base=base, orphaned=None)
        try:
            self._schedules.redefined(row, account, now)
        except QuotaExceeded:
            raise
        except InvalidArgument:  # with what an operator has changed it makes no sense any more: that goes
            self._schedules.redefined(row._replace(edits=None), account, now)
        self._changed.write(now.mono / 1000, schedule=row.name, stopped=was_stopped)

    # gone

    def closed(self, session: Session, now: Now) -> None:
        declaring = self._of.get(session.node)
        if declaring is not None and declaring.session is session:
            self._agenda.set(self, session.node, now.mono + ABSENT_MS)

    def due(self, key: Hashable, now: Now) -> None:
        if isinstance(key, bytes):
            self._gone(self._forget(key), now)
        elif key == SWEEP:
            self._sweep(now)
        else:
            self._stop_orphans(now)

    def _forget(self, node: bytes) -> set[str]:
        """A worker declares nothing any more; what it did."""
        declaring = self._of.pop(node, None)
        if declaring is None:
            return set()
        declaring.account.give(Resource.ANNOUNCED_BYTES, declaring.size_bytes)
        for name in declaring.definitions:
            nodes = self._nodes[name]
            del nodes[node]
            if not nodes:
                del self._nodes[name]
        return set(declaring.definitions)

    def _gone(self, names: Iterable[str], now: Now) -> None:
        """A worker declares these no more: another's declaration is taken, or they are orphaned."""
        for name in sorted(names):
            row = self._store.find(name)
            if row is None or not row.declared:
                continue
            there = self._of_schedule(row)
            if not there:
                self._orphan(row, now)
            elif all(one.definitions[name] != row.base for one in there):
                self._take_over(row, there[-1], now)

    def _take_over(self, row: ScheduleRow, declaring: Declaring, now: Now) -> None:
        try:
            self._change(row, declaring.definitions[row.name], declaring.account, now)
        except TqError as error:
            if voids(error):
                raise
            self._orphan(row, now)  # no room: it is as if none declared it

    def _orphan(self, row: ScheduleRow, now: Now) -> None:
        if self._is_elsewhere(row):
            if row.fires is not None:
                self._stop(row._replace(orphaned=row.orphaned or now.steady), now)
        elif row.orphaned is None:
            self._store.put(row._replace(orphaned=now.steady))
            self._expect_orphans()

    def _is_elsewhere(self, row: ScheduleRow) -> bool:
        """Whether the code of a worker has moved it to a queue of another shard, where it fires."""
        queue = definition_of(row).queue
        return any(row.name in one.elsewhere and one.session.allows_queue(queue) for one in self._of.values())

    def _stop(self, row: ScheduleRow, now: Now) -> None:
        self._store.put(row._replace(fires=None))
        self._stopped.write(now.mono / 1000, schedule=row.name)

    def _sweep(self, now: Now) -> None:
        """After a start: those that no worker has declared since are orphaned."""
        rows = self._store.declared(self._swept, SWEPT_MAX)
        for row in rows:
            self._swept = row.number
            if not self._of_schedule(row):
                self._orphan(row, now)
        self._agenda.set(self, SWEEP, now.mono if len(rows) == SWEPT_MAX else None)

    def _expect_orphans(self) -> None:
        first = self._store.next_orphan()
        self._agenda.set(self, ORPHANS, None if first is None else first + ORPHANED_MS, Clock.STEADY)

    def _stop_orphans(self, now: Now) -> None:
        for row in self._store.orphans(now.steady - ORPHANED_MS, SWEPT_MAX):
            self._stop(row, now)
        self._expect_orphans()
