"""The embedded store's verbs for schedules: see ``interface.schedules.ScheduleStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.schedules import Decided, NewSchedule, OccurrenceRecord, ScheduleRow
from .part import SqlitePart


class SqliteSchedules(SqlitePart):
    def add(self, row: NewSchedule) -> int:
        return int(self._all("add_schedule", row)[0][0])

    def find(self, name: str) -> ScheduleRow | None:
        rows = self._all("schedule_by_name", (name,))
        return ScheduleRow(*rows[0]) if rows else None

    def listing(self, after: int, limit: int) -> list[ScheduleRow]:
        return [ScheduleRow(*row) for row in self._all("schedules_after", (after, limit))]

    def get(self, number: int) -> ScheduleRow | None:
        rows = self._all("schedule_by_number", (number,))
        return ScheduleRow(*rows[0]) if rows else None

    def counts(self) -> dict[str, int]:
        return dict(self._all("count_schedules"))

    def put(self, row: ScheduleRow) -> None:
        self._exactly("put_schedule", [row._asdict()])

    def drop(self, number: int) -> None:
        # Before the row that they refer to.
        self._many("remove_occurrences", [(number,)])
        self._exactly("remove_schedule", [(number,)])

    # time

    def next_fire(self) -> int | None:
        [(moment,)] = self._all("next_fire")
        return None if moment is None else int(moment)

    def due(self, wall: int, limit: int) -> list[ScheduleRow]:
        return [ScheduleRow(*row) for row in self._all("schedules_due", (wall, limit))]

    def decided(self, rows: Sequence[Decided]) -> None:
        self._exactly("schedule_decided", rows)

    # those that workers declare

    def declared(self, after: int, limit: int) -> list[ScheduleRow]:
        return [ScheduleRow(*row) for row in self._all("schedules_declared", (after, limit))]

    def next_orphan(self) -> int | None:
        [(moment,)] = self._all("next_orphan")
        return None if moment is None else int(moment)

    def orphans(self, before: int, limit: int) -> list[ScheduleRow]:
        return [ScheduleRow(*row) for row in self._all("schedules_orphaned", (before, limit))]

    # history

    def record(self, rows: Sequence[OccurrenceRecord]) -> None:
        self._many("record_occurrence", rows)

    def history(self, number: int, limit: int) -> list[OccurrenceRecord]:
        return [OccurrenceRecord(*row) for row in self._all("occurrences", (number, limit))]

    def occurred(self, number: int, first: int, last: int) -> dict[int, bytes]:
        return dict(self._all("occurred", (number, first, last)))

    def unfinished(self, number: int, limit: int) -> list[bytes]:
        return [task for (task,) in self._all("unfinished_occurrences", (number, limit))]

    def held(self, number: int, limit: int) -> list[OccurrenceRecord]:
        return [OccurrenceRecord(*row) for row in self._all("held_occurrences", (number, limit))]

    def of_task(self, task: bytes) -> OccurrenceRecord | None:
        rows = self._all("occurrence_of_task", (task,))
        return OccurrenceRecord(*rows[0]) if rows else None

    def are_unfinished(self) -> bool:
        return bool(self._all("any_unfinished_occurrence"))

    def holding(self) -> list[int]:
        return [number for (number,) in self._all("holding_schedules")]

    def ended(self, task: bytes, state: int, started: int | None, finished: int | None) -> None:
        # Not ``_exactly``: a task may outlive the record of its occurrence.
        self._many("occurrence_ended", [(state, started, finished, task)])

    def forget(self, number: int, keep: int) -> None:
        self._many("forget_occurrences", [{"schedule": number, "keep": keep}])
