"""The master's own series: what it has measured of late, in the store, so that it survives a restart and needs nothing beside the master.

::

    counts since the last point ─┐
    queues, slots, store, now ───┴─► a point of 10 s ─► added to the minute and the quarter of an hour that it is in

A point is written with the first change that comes after its 10 seconds, or up to 5 s later by itself, once. A master in which nothing
changes writes nothing and does not wake: until the next point all is as the last one says, and nothing was submitted and nothing ended.

Invariant: there are never more points than the resolutions have places. The time is the steady clock's: a wall clock that is set moves
all points together. Counts of a transaction that failed are lost, or count what was tried.
"""

from __future__ import annotations

import heapq
import operator
from collections.abc import Hashable, Sequence
from itertools import islice
from typing import Any, Final

from ...common.domain.model import OutcomeNumber, StateNumber
from ...common.domain.series import QUEUES_MAX, RESOLUTIONS, Level, Resolution, SeriesPoint, unpacked
from ...common.errors import ProtocolError
from ...common.runtime.histogram import DISK_SECONDS, SECONDS, Buckets
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.endings import Ended
from ..engine.part import Part
from ..store.interface.slices import LeasedSlice
from ..store.interface.store import Picture, Store
from ..store.interface.tasks import Leased
from ..tasks.leases import LeasedAttempt, LeasedTasks
from ..tasks.reports import ReportedSlice
from ..tasks.route import Queue, Route
from ..tasks.routes import Routes
from ..workers.membership import Membership

STEP_MS: Final = RESOLUTIONS[0].step_ms
LATE_MS: Final = 5_000  # for so long a point waits for a transaction that comes anyway
SAMPLE_MS: Final = 250  # between two leases whose tasks are looked at for how long they have waited,
FEW: Final = 8  # reports: counting each costs less than sorting them
SAMPLES: Final = 8  # so many of each
QUEUES_LOOKED_AT: Final = 5_000  # for those with the most waiting tasks
WAITING: Final = (StateNumber.READY, StateNumber.SCHEDULED, StateNumber.BLOCKED)
SECONDS_OF: Final = operator.itemgetter(6)  # a row of a report: how long the attempt ran
WRITE: Final = "write"  # the key of the agenda


class SeriesMeter:
    """Counts what is done since the last point. A ``TaskMeter``, cheap enough to be always on: nothing here is counted by task."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.stale = 0
        self._sampled = 0  # steady ms
        self.clear()

    def clear(self) -> None:
        self.submitted = self.finished = self.failed = 0
        self.wait, self.run, self.commit = Buckets(SECONDS), Buckets(SECONDS), Buckets(DISK_SECONDS)

    def accepted(self, groups: Sequence[tuple[Route, int, int]]) -> None:
        for _, state, tasks in groups:
            self.submitted += tasks
            if state == StateNumber.RUNNING:
                self.wait.observe(0.0, tasks)

    def leased(self, rows: Sequence[Leased | LeasedSlice], now: int) -> None:
        if abs(now - self._sampled) < SAMPLE_MS:
            return
        self._sampled = now
        first = [row.seq for row in rows if row.attempt == 1]
        for created in self._store.created(first[:: -(-len(first) // SAMPLES)] if first else []):
            self.wait.observe(max(0, now - created) / 1000)

    def reported(
        self, rows: Sequence[Sequence[Any]], slices: Sequence[ReportedSlice], running: LeasedTasks
    ) -> None:
        if len(rows) > FEW:
            self.run.observe_all(list(map(SECONDS_OF, rows)))
        else:
            for seconds in map(SECONDS_OF, rows):
                self.run.observe(seconds)
        for one in slices:
            self.run.observe_all(list(one.seconds))

    def begun(self, route: int) -> None:
        """Only ends count here."""

    def came_back(self, route: int) -> None:
        """Only ends count here."""

    def attempts_ended(
        self, held: LeasedAttempt, outcome: OutcomeNumber, state: StateNumber, times: int
    ) -> None:
        """Only ends of tasks count here."""

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        for run, _, _, state, *_ in tasks:
            self.finished += run.length
            if state != StateNumber.SUCCEEDED:
                self.failed += run.length if state != StateNumber.CANCELLED else 0


class Series(Part):
    name = "the master's series"

    def __init__(self, core: Core, routes: Routes, membership: Membership) -> None:
        self._store, self._agenda, self._timeline = core.store, core.agenda, core.timeline
        self._routes, self._membership = routes, membership
        self.meter = SeriesMeter(core.store)
        core.endings.listen(self.meter.ended)
        self._slot: int | None = None  # of the point that is to be written
        self._ended: SeriesPoint | None = None  # that point, when its time is over
        self._is_due = False
        self._is_first = True
        self._latest: dict[Resolution, tuple[int, SeriesPoint]] = {}  # as the store has them

    def load(self, picture: Picture, now: Now) -> None:
        self._slot = self._ended = None
        self._latest.clear()
        for resolution in RESOLUTIONS:
            found = self._store.series.last(resolution.step_ms)
            if found is not None:
                try:
                    self._latest[resolution] = found[0], unpacked(found[1])
                except ProtocolError:  # of another version: it is written over
                    continue

    def commit_took(self, seconds: float) -> None:
        self.meter.commit.observe(seconds)

    def begin(self) -> None:
        """The transaction before was the last one of the point's time: what there is now is what there was at its end."""
        if (
            self._slot is not None
            and self._ended is None
            and self._timeline.now.steady // STEP_MS > self._slot
        ):
            self._ended = self._point()

    def due(self, key: Hashable, now: Now) -> None:
        self._is_due = True

    def settle(self, now: Now) -> None:
        changed = self._store.changed
        if self._slot is not None and self._ended is not None and (changed or self._is_due):
            self._write(self._slot * STEP_MS, self._ended)
            self._slot = self._ended = None
        self._is_due = False
        if changed and self._slot is None:
            self._slot = now.steady // STEP_MS
            end = (self._slot + 1) * STEP_MS - now.steady
            self._agenda.set(self, WRITE, now.mono + end + LATE_MS)

    def _write(self, at: int, point: SeriesPoint) -> None:
        """The point of the 10 seconds from this moment on."""
        self._agenda.set(self, WRITE, None)
        point.store_bytes = self._store.space().size_bytes
        for resolution in RESOLUTIONS:
            slot = at // resolution.step_ms
            latest, before = self._latest.get(resolution, (-1, point))
            whole = before.followed_by(point) if latest == slot else point
            self._latest[resolution] = slot, whole
            self._store.series.put(resolution.step_ms, slot % resolution.points, slot, whole.packed())

    def _point(self) -> SeriesPoint:
        queues = list(islice(self._routes.queues.values(), QUEUES_LOOKED_AT))
        deepest = heapq.nlargest(QUEUES_MAX, queues, key=_waiting)
        workers = self._membership.listed()
        begun = sum(len(one.started) for one in workers)
        leased = ready = 0
        for queue in self._routes.queues.values():
            leased += queue.counts[StateNumber.RUNNING]
            ready += queue.counts[StateNumber.READY]
        ready, running = ready + max(0, leased - begun), min(leased, begun)
        meter, is_first = self.meter, self._is_first
        point = SeriesPoint(
            submitted=meter.submitted,
            ended=meter.finished,
            failed=meter.failed,
            ready=Level(ready, ready),
            running=Level(running, running),
            slots=sum(one.info.slots for one in workers if one.session is not None and one.info),
            wait=meter.wait.counts,
            run=meter.run.counts,
            commit=meter.commit.counts,
            queues={one.name: Level(_waiting(one), _waiting(one)) for one in deepest if _waiting(one)},
            is_first=is_first,
        )
        meter.clear()
        self._is_first = False
        return point


def _waiting(queue: Queue) -> int:
    return sum(queue.counts[state] for state in WAITING)
