"""The object for schedules that every master exposes. ``master/tasks/calls.py`` has the rules of exposed objects, ``schedules.py`` the
behaviour.

``get_schedules()``. A schedule in a queue that the caller's key may not use is answered as one that does not exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.contract.rows import from_wire, to_wire
from ...common.contract.schedules import DeclaredRow
from ...common.domain.model import Role, check_name
from ...common.domain.schedule import ScheduleDefinition
from ...common.errors import Forbidden, InvalidArgument, ProtocolError
from ..api.validation import (
    NUMBER_MAX,
    TOKEN_BYTES,
    EngineObject,
    allow_queue,
    validate_flag,
    validate_list,
    validate_seconds,
    validate_text,
    validate_whole,
)
from ..engine.clock import Now
from ..engine.long_calls import LongCalls
from ..engine.session import Call
from ..store.interface.schedules import ScheduleRow
from .declarations import DECIDED_MAX, DECLARED_MAX, Declarations
from .definitions import definition_of, packed
from .occurrences import Occurrences
from .schedules import PAUSED_BY_MASTER, Timetable
from .shown import history_of, summary

LIST_MAX: Final = 500  # each may have 64 KiB of arguments, which are read with it; also of those that the caller may not see
HISTORY_MAX: Final = 1_100  # what is kept of one
LISTED_HISTORY_MAX: Final = 20  # of each in a list,
LISTED_WITH_HISTORY: Final = 50  # of so many at once: a thousand rows
PREVIEWED_MAX: Final = 1_000

Rows = list[Any]  # an alias, because the object has a method called list


class SchedulesObject(EngineObject):
    """``get_schedules()``"""

    @exposed(Role.WORKER)
    def declare(self, call: Call, declared: Rows, elsewhere: Sequence[str] = ()) -> object:
        """All schedules that a worker has in its code, ``[[name, definition], …]``; answers those that are not as it says,
        ``[[name, why], …]``. ``elsewhere``: the names of those that are in other shards."""
        if not self.engine.presence.is_serving(call.session):
            raise ProtocolError("announce must be a worker's first call on every connection")
        count = len(validate_list("declared", declared)) + len(validate_list("elsewhere", list(elsewhere)))
        if count > DECLARED_MAX:
            raise InvalidArgument(f"{count:,} schedules of one worker; at most {DECLARED_MAX:,}")
        engine, declarations, session = self.engine, self.engine.part(Declarations), call.session
        rows = [from_wire(DeclaredRow, row) for row in declared]
        for name in (*(row.name for row in rows), *elsewhere):
            check_name("schedule", name)
        items = declarations.declare(session, rows, frozenset(elsewhere))

        def decide(some: Sequence[Any], now: Now) -> Rows:
            return [to_wire(one) for one in declarations.decide(session, some, now)]

        return (
            engine.part(LongCalls).perform(call, items, decide, engine.now, most=DECIDED_MAX) if items else []
        )

    @exposed(Role.CLIENT)
    def add(self, call: Call, name: str, definition: dict[str, Any]) -> dict[str, Any]:
        """Make a schedule; answers it. One that is there already must say the same."""
        wanted = ScheduleDefinition.from_wire(definition)
        allow_queue(call, wanted.queue)
        schedules = self.engine.part(Timetable)
        row = schedules.find(name)
        if row is None:
            row = schedules.add(name, wanted, call.session, self.engine.now)
        # Before it is compared: the answer to that would tell what is in a schedule that the caller may not see.
        elif not call.session.allows_queue(definition_of(row).queue):
            raise Forbidden(
                f"the name {name!r} is taken in a queue that this key does not cover; choose another"
            )
        elif packed(definition_of(row)) != packed(wanted):
            raise InvalidArgument(
                f"there is a schedule {name!r} that says something else; change it with edit, or choose another name"
            )
        return summary(self.engine, row)

    @exposed(Role.CLIENT)
    def edit(self, call: Call, name: str, changes: dict[str, Any], reset: bool = False) -> dict[str, Any]:
        """Change fields of a schedule; answers it. What is declared in code keeps what was changed until ``reset``."""
        row = self._own(call, name)
        if not isinstance(changes, dict):
            raise InvalidArgument("changes must be a map of fields")
        allow_queue(call, validate_text("queue", changes.get("queue", definition_of(row).queue)))
        changed = self.engine.part(Timetable).edit(
            row, changes, call.session.account, self.engine.now, reset=validate_flag("reset", reset)
        )
        allow_queue(call, definition_of(changed).queue)
        return summary(self.engine, changed)

    @exposed(Role.CLIENT)
    def pause(self, call: Call, name: str, reason: str = "") -> None:
        """It makes no tasks until it is resumed."""
        self.engine.part(Timetable).pause(
            self._own(call, name), validate_text("reason", reason), self.engine.now
        )

    @exposed(Role.CLIENT)
    def resume(self, call: Call, name: str) -> None:
        """It goes on with its next instant; those of the pause are skipped."""
        self.engine.part(Timetable).resume(
            self._own(call, name), call.session.verifier.key_id, self.engine.now
        )

    @exposed(Role.CLIENT)
    def remove(self, call: Call, name: str) -> None:
        """Delete a schedule and its history; its tasks stay."""
        row = self._own(call, name)
        declarers = self.engine.part(Declarations).declarers(row)
        if declarers:
            raise InvalidArgument(
                f"{declarers} connected workers have {name} in their code and would make it again; pause it, or remove it there"
            )
        self.engine.part(Timetable).delete(row)

    @exposed(Role.CLIENT)
    def run_now(self, call: Call, name: str, token: bytes) -> bytes:
        """Make a task of it now; answers its id. ``token``: 16 bytes that name this run."""
        row = self._own(call, name)
        if not isinstance(token, bytes) or len(token) != TOKEN_BYTES:
            raise InvalidArgument(f"a run is named by {TOKEN_BYTES} bytes")
        self._check_key(row)
        return self.engine.part(Occurrences).run(row, definition_of(row), token, self.engine.now)

    @exposed(Role.CLIENT)
    def backfill(self, call: Call, name: str, first: float, last: float) -> Rows:
        """Make tasks for the instants between two moments, Unix seconds, that have none; answers the ids of all."""
        row = self._own(call, name)
        moments = [int(validate_seconds("moment", moment) * 1000) for moment in (first, last)]
        self._check_key(row)
        return self.engine.part(Timetable).backfill(row, moments[0], moments[1], self.engine.now)

    @exposed(Role.VIEWER)
    def list(self, call: Call, after: int = 0, limit: int = LIST_MAX, history: int = 0) -> dict[str, Any]:
        """Schedules with a number above ``after``, the oldest first; ``after`` in the answer: where the next portion begins,
        nil at the end. It is a number, because a name may be one that the caller may not see. ``history``: so many of the newest rows of
        the history of each, of fewer schedules at once."""
        limit = validate_whole("limit", limit, 1, LIST_MAX)
        newest = validate_whole("history", history, 0, LISTED_HISTORY_MAX)
        limit = min(limit, LISTED_WITH_HISTORY) if newest else limit
        rows = self.engine.store.schedules.listing(validate_whole("after", after, 0, NUMBER_MAX), LIST_MAX)
        found = []
        for row in rows:
            if call.session.allows_queue(definition_of(row).queue):
                past = {"history": history_of(self.engine, row, newest)} if newest else {}
                found.append(summary(self.engine, row) | past)
                self.engine.work.looked(newest)
            if len(found) == limit:
                break
        self.engine.work.gave(len(rows), sum(len(one.base) for one in rows))
        # A portion that was cut by ``limit`` is not the last, however few rows there were.
        is_over = len(rows) < LIST_MAX and (not rows or row is rows[-1])
        return {"rows": found, "after": None if is_over else row.number}

    @exposed(Role.VIEWER)
    def show(self, call: Call, name: str, limit: int = 20) -> dict[str, Any]:
        """A schedule and the newest of its history."""
        row = self._own(call, name)
        limit = validate_whole("limit", limit, 0, HISTORY_MAX)
        payload = definition_of(row).payload
        return {
            **summary(self.engine, row),
            "payload": payload,
            "history": history_of(self.engine, row, limit),
        }

    @exposed(Role.VIEWER)
    def preview(self, call: Call, name: str, count: int = 20, after: float | None = None) -> Rows:
        """Its next instants, Unix seconds; from now on, or after a moment."""
        row = self._own(call, name)
        now = self.engine.now.wall
        moment = now if after is None else int(validate_seconds("after", after) * 1000)
        recurrence, found = definition_of(row).recurrence, []
        for _ in range(validate_whole("count", count, 1, PREVIEWED_MAX)):
            following = recurrence.after(moment)
            if following is None:
                break
            found.append(following / 1000)
            moment = following
        return found

    def _own(self, call: Call, name: str) -> ScheduleRow:
        row = self.engine.part(Timetable).find(name)
        # The same words for both: whether a name exists is for those who may see it.
        if row is None or not call.session.allows_queue(definition_of(row).queue):
            raise InvalidArgument(f"there is no schedule {name!r}; `tq schedule ls` shows them")
        return row

    def _check_key(self, row: ScheduleRow) -> None:
        why_not = self.engine.part(Timetable).why_not(row)
        if why_not:
            raise Forbidden(why_not)
        if row.paused == PAUSED_BY_MASTER:
            raise Forbidden(f"it is paused: {row.reason}")
