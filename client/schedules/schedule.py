"""A schedule and its history, as a program sees them: what the master's answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...common.contract.rows import all_from_wire
from ...common.contract.schedules import OccurrenceRow
from ...common.domain.ids import show_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Occurrence:
    """What became of one instant of a schedule.

    Attributes:
        instant: The moment at which it was due; of several that were skipped together the last one.
        first: Of several that were skipped together the first one, else the same.
        instants: How many they are; 1 for a task.
        by: ``"time"``, ``"run-now"`` or ``"backfill"``.
        state: ``"skipped"``, ``"held"`` until an earlier one has ended, or the state of its task.
        task_id: The id of its task; None when it was skipped.
        seconds: How long its task ran; None while that is not known.
        why: Why it was skipped; empty otherwise.
    """

    instant: datetime
    first: datetime
    instants: int
    by: str
    state: str
    task_id: str | None
    seconds: float | None
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A schedule as the master has it.

    Attributes:
        name: Its name.
        state: ``"active"``, ``"paused"``, ``"orphaned"`` (no worker has it in its code any more), ``"stopped"`` (for an hour
            none has had it) or ``"over"`` (no instant is left).
        why: Why it makes no tasks; empty when it does.
        task: Name of its task.
        queue: Queue of its tasks.
        cron: Its rule; None when it has an interval.
        every: Its interval in seconds; None when it has a rule.
        tz: The time zone of its rule.
        misfire: What happens to instants that were missed.
        overlap: What happens when an earlier task has not ended.
        jitter: Up to so many seconds late a task starts.
        declared: Whether it is declared in the code of workers.
        edited: Names of what an operator has changed of what is declared.
        workers: How many connected workers declare it.
        differing: How many of them declare it differently.
        last: The last instant that was decided; None before the first.
        next: The next instant; None when none is waited for.
        fired: How many tasks it has made at its times.
        key: Id of the key by whose rights it makes them.
        history: What became of its instants, newest first; only ``show`` has it.
    """

    name: str
    state: str
    why: str
    task: str
    queue: str
    cron: str | None
    every: float | None
    tz: str
    misfire: str
    overlap: str
    jitter: float
    declared: bool
    edited: Sequence[str]
    workers: int
    differing: int
    last: datetime | None
    next: datetime | None
    fired: int
    key: str
    history: Sequence[Occurrence] = ()


FIELDS = tuple(Schedule.__dataclass_fields__)


def schedule_of(answer: dict[str, Any]) -> Schedule:
    """Of what ``add``, ``edit``, ``list`` and ``show`` answer; a newer master may have more to say."""
    values = {name: answer[name] for name in FIELDS if name != "history"}
    values["last"], values["next"] = moment_of(answer["last"]), moment_of(answer["next"])
    rows = all_from_wire(OccurrenceRow, answer.get("history", []))
    return Schedule(**values, history=[_occurrence(row) for row in rows])


def moment_of(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _occurrence(row: OccurrenceRow) -> Occurrence:
    has_run = row.started is not None and row.finished is not None
    return Occurrence(
        instant=datetime.fromtimestamp(row.instant, UTC),
        first=datetime.fromtimestamp(row.first, UTC),
        instants=row.instants,
        by=row.by,
        state=row.state,
        task_id=None if row.task is None else show_id(row.task),
        seconds=(row.finished or 0.0) - (row.started or 0.0) if has_run else None,
        why=row.why,
    )
