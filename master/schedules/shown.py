"""Schedules as people and programs see them: maps for the answers of ``get_schedules``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...common.contract.rows import to_wire
from ...common.contract.schedules import OccurrenceRow
from ...common.domain.model import State
from ..engine.clock import Now
from ..store.interface.schedules import OccurrenceRecord, ScheduleRow
from .declarations import ORPHANED_MS, Declarations
from .definitions import definition_of, edits_of
from .occurrences import SKIPPED
from .schedules import Timetable

if TYPE_CHECKING:
    from ..engine.engine import Engine

MADE_BY: Final = ("time", "run-now", "backfill", "time")


def summary(engine: Engine, row: ScheduleRow) -> dict[str, Any]:
    """Times are Unix seconds."""
    definition, now = definition_of(row), engine.now
    declarations = engine.part(Declarations)
    state, why = _state(engine, row)
    return {
        "name": row.name,
        "state": state,
        "why": why,
        **{
            name: getattr(definition, name)
            for name in ("task", "queue", "cron", "every", "tz", "misfire", "overlap", "jitter", "options")
        },
        "key": row.key,
        "declared": bool(row.declared),
        "edited": sorted(edits_of(row)),
        "workers": declarations.declarers(row),
        "differing": declarations.differing(row),
        "created": row.created / 1000,
        "last": row.last / 1000 if row.fired else None,
        "next": None if row.fires is None or why else row.fires / 1000,
        "fired": row.fired,
        "since": None if row.since is None else now.shown(row.since),
        "orphaned": None if row.orphaned is None else now.shown(row.orphaned),
    }


def _state(engine: Engine, row: ScheduleRow) -> tuple[str, str]:
    """active, paused, orphaned, stopped or over; and why it makes no tasks."""
    if row.paused:
        return "paused", row.reason or "no reason given"
    why_not = engine.part(Timetable).why_not(row)
    if why_not:
        return "paused", why_not
    if row.orphaned is not None:
        if row.fires is None and engine.now.steady - row.orphaned < ORPHANED_MS:
            return "stopped", "the code of a worker has it in a queue of another shard, where it goes on"
        if row.fires is None:
            return "stopped", f"no worker has declared it for {ORPHANED_MS // 60_000} minutes"
        return "orphaned", ""
    return ("over", "no instant is left") if row.fires is None else ("active", "")


def history_of(engine: Engine, row: ScheduleRow, limit: int) -> list[Any]:
    """The newest first."""
    records = engine.store.schedules.history(row.number, limit)
    waiting = [one.task for one in records if one.task is not None and one.state is None and not one.held]
    states = {found.id: found.state for found in engine.store.find(waiting)}
    return [to_wire(_row(one, states, engine.now)) for one in records]


def _row(record: OccurrenceRecord, states: dict[bytes, int], now: Now) -> OccurrenceRow:
    if record.state == SKIPPED:
        state = "skipped"
    elif record.held:
        state = "held"
    else:
        number = record.state if record.state is not None else states.get(record.task or b"")
        state = "unknown" if number is None else str(State.from_number(number))
    return OccurrenceRow(
        record.instant / 1000,
        record.first / 1000,
        record.instants,
        MADE_BY[record.kind],
        state,
        record.task,
        record.decided / 1000,
        None if record.started is None else now.shown(record.started),
        None if record.finished is None else now.shown(record.finished),
        record.why,
    )
