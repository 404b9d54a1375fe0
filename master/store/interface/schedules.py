"""The store's verbs for schedules and what has become of their instants. Part of ``interface.Store``; the same rules.

Moments at which something is due are the wall's, Unix time in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class NewSchedule(NamedTuple):
    name: str
    key: str  # the id of its maker's key
    base: bytes  # what it says, packed
    declared: int  # 1: workers have it in their code
    created: int
    last: int
    fires: int | None


class ScheduleRow(NamedTuple):
    number: int
    name: str
    key: str
    base: bytes
    edits: bytes | None  # what an operator has changed of it, packed
    declared: int
    created: int
    last: int  # no instant up to this one is decided again
    fires: int | None  # the next instant; None: none is waited for
    fired: int  # how many tasks it has made at its times
    paused: int  # 0: it is not; 1: by a person; 2: by the master
    reason: str
    since: int | None  # of the pause
    orphaned: int | None  # since when no worker declares it; None: some do, or it was not declared


class Decided(NamedTuple):
    """Instants of a schedule were decided."""

    last: int
    fires: int | None
    fired: int
    number: int


class OccurrenceRecord(NamedTuple):
    """What became of an instant. ``held``: its task waits to be made. ``state``: None while it has not ended; −1: skipped."""

    schedule: int
    instant: int
    kind: int  # 0: by time, 1: run now, 2: backfill, 3: skipped
    first: int
    instants: int
    decided: int
    task: bytes | None
    held: int
    state: int | None
    started: int | None  # steady, as the times of tasks
    finished: int | None
    why: str


class ScheduleStore(Protocol):
    def add(self, row: NewSchedule) -> int:
        """Its number."""

    def find(self, name: str) -> ScheduleRow | None: ...
    def listing(self, after: int, limit: int) -> list[ScheduleRow]:
        """Those with a number above this, in order."""

    def get(self, number: int) -> ScheduleRow | None: ...
    def counts(self) -> dict[str, int]:
        """How many there are of each maker's key."""

    def put(self, row: ScheduleRow) -> None:
        """Replace the row of this number."""

    def drop(self, number: int) -> None:
        """The schedule and its history."""

    # time
    def next_fire(self) -> int | None: ...
    def due(self, wall: int, limit: int) -> list[ScheduleRow]:
        """Those whose next instant has come, the earliest first."""

    def decided(self, rows: Sequence[Decided]) -> None: ...
    # those that workers declare
    def declared(self, after: int, limit: int) -> list[ScheduleRow]:
        """Those with a number above this that are not orphaned, in order."""

    def next_orphan(self) -> int | None:
        """When the first one that still fires became an orphan, steady."""

    def orphans(self, before: int, limit: int) -> list[ScheduleRow]:
        """Those that still fire and were orphaned before."""

    # history
    def record(self, rows: Sequence[OccurrenceRecord]) -> None:
        """A row with the same schedule, instant and kind is replaced."""

    def history(self, number: int, limit: int) -> list[OccurrenceRecord]:
        """Newest first."""

    def occurred(self, number: int, first: int, last: int) -> dict[int, bytes]:
        """Instants that have a task, or one that is held, and its id."""

    def unfinished(self, number: int, limit: int) -> list[bytes]:
        """Tasks that have not ended, oldest first."""

    def held(self, number: int, limit: int) -> list[OccurrenceRecord]:
        """Those that are held, oldest first."""

    def of_task(self, task: bytes) -> OccurrenceRecord | None: ...
    def are_unfinished(self) -> bool:
        """Whether any schedule has an occurrence that has not ended."""

    def holding(self) -> list[int]:
        """The schedules of which an occurrence is held."""

    def ended(self, task: bytes, state: int, started: int | None, finished: int | None) -> None: ...
    def forget(self, number: int, keep: int) -> None:
        """All but the newest of what is over."""
