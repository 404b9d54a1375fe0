"""The engine's own work, which is due by the clock and done in bounded portions.

All of it in each transaction as long as all is well; one by one while the store is in trouble, see ``trouble.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...common.wire.frames import FRAME_BYTES_MAX
from ..blobs.keeper import Keeper
from ..items.items import Items
from ..locks.claims import Syncs
from ..store.interface.store import Store
from ..tasks.attempt_output import Observations
from ..tasks.completion import Ends
from ..tasks.dispatch import Intake
from ..tasks.routes import Lanes
from ..workers.membership import Roster
from .clock import Now, Timeline
from .trouble import Chore

CHORE_TASKS_MAX: Final = 1_000  # promoted, expired or purged in one transaction
PURGE_EVERY_MS: Final = 10_000
STALL_TICKS: Final = (
    0.25  # a tick that comes later than this much of one was held up: the process stood still
)
ENVELOPE_BYTES_MAX: Final = 4 * 1024  # of a frame that carries one payload: names, ids, options
LAST_TRIED: Final = "last_tried"  # the row by which a master in trouble sees whether its store takes one


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineLimits:
    """The durations and bounds the engine decides by."""

    lease_ms: int = 20_000
    grace_ms: int = 3_000
    tick_ms: int = 5_000
    result_ttl_ms: int = 7 * 24 * 3_600_000
    results_max: int = 1_000_000
    payload_bytes_max: int = FRAME_BYTES_MAX - ENVELOPE_BYTES_MAX


class Chores:
    def __init__(
        self,
        store: Store,
        limits: Callable[[], EngineLimits],
        lanes: Lanes,
        roster: Roster,
        items: Items,
        syncs: Syncs,
        intake: Intake,
        ends: Ends,
        observations: Observations,
        blobs: Keeper,
        timeline: Timeline,
        report: Callable[..., None],
    ) -> None:
        self._store, self._limits, self._report = store, limits, report
        self._lanes, self._roster, self._items, self._syncs = lanes, roster, items, syncs
        self._intake, self._ends, self._observations, self._blobs = intake, ends, observations, blobs
        self._timeline = timeline  # where it has jumped nothing ends: the time is in doubt
        self._ticked = self._purge_at = 0
        self.has_more = False  # to purge
        self.each = [
            Chore("write a row", self._write_a_row),
            Chore("end leases and graces", self._end_leases),
            Chore("tasks that are due", self._promote),
            Chore("tasks that expire", self._expire),
            Chore("old results", self._purge_if_due),
            Chore("blobs", blobs.chores),
        ]

    def start(self, now: Now) -> None:
        self._ticked = now.mono
        self._purge_at = now.mono + PURGE_EVERY_MS

    def run(self, now: Now) -> None:
        """All of it, where nothing is in doubt."""
        self._end_leases(now)
        self._promote(now)
        self._expire(now)
        self._purge_if_due(now)
        self._blobs.chores(now)

    def next_wakeup(self, now: Now) -> int | None:
        """Monotonic ms at which some of it is due; None: never."""
        dues = self._intake.dues.deadlines(now)
        moments = [*self._items.deadlines(), *self._syncs.deadlines(), *dues]
        if self._roster.watching:
            moments.append(self._ticked + self._limits().tick_ms)
            moments += self._roster.deadlines()
        if self._lanes.finished():
            moments.append(self._purge_at)
        blobs = self._blobs.next_wakeup()
        if blobs is not None:
            moments.append(blobs)
        return min(moments, default=None)

    def look_for_stall(self, now: Now) -> None:
        """Nobody is blamed for a time in which this process stood still."""
        gap, self._ticked = now.mono - self._ticked, now.mono
        if self._roster.watching and gap > self._limits().tick_ms * (1 + STALL_TICKS):
            self._report("master.stalled", level="warning", seconds=gap / 1000)
            self._roster.stalled(gap)
            self._items.stalled(gap)
            self._syncs.stalled(gap)

    def _write_a_row(self, now: Now) -> None:
        """While there is trouble: can it be done?"""
        self._store.set_meta(LAST_TRIED, str(now.steady).encode())

    def _end_leases(self, now: Now) -> None:
        self._roster.tick(now)
        self._items.tick(now)
        self._syncs.tick(now)

    def _promote(self, now: Now) -> None:
        self._intake.dues.promote(now, CHORE_TASKS_MAX)

    def _expire(self, now: Now) -> None:
        if self._intake.dues.has_expired(now) and not self._timeline.jumped:
            self._ends.expire(now, CHORE_TASKS_MAX)
            self._intake.dues.expired()

    def _purge_if_due(self, now: Now) -> None:
        if (self.has_more or now.mono >= self._purge_at) and not self._timeline.jumped:
            self._purge(now)

    def _purge(self, now: Now) -> None:
        """Forget results that are too old or too many, oldest first."""
        surplus = min(CHORE_TASKS_MAX, self._lanes.finished() - self._limits().results_max)
        rows = self._store.purge(now.steady - self._limits().result_ttl_ms, CHORE_TASKS_MAX)
        if surplus > len(rows):
            rows += self._store.purge(now.steady, surplus - len(rows))
        for lane, state in rows:
            self._lanes.by_number[lane].counts[state] -= 1
        trimmed = self._observations.trim()
        self.has_more = trimmed or len(rows) >= CHORE_TASKS_MAX
        if not self.has_more:
            self._purge_at = now.mono + PURGE_EVERY_MS
            self._store.forget_workers(now.steady - self._limits().result_ttl_ms)
