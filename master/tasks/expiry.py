"""Expires tasks that were not started in time, and deletes results that are too old or too many."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Final

from ..engine.agenda import Clock
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.endings import Ended
from ..engine.pace import Pace
from ..engine.part import Part
from ..store.interface.store import Picture
from .attempt_output import AttemptOutput
from .completion import Completion
from .consulted import Consulted
from .routes import Routes
from .scheduled import Nearest

EXPIRED_MAX: Final = 1_000  # tasks in one transaction
STEP_TASKS: Final = 100  # about a millisecond; of an array all that ended together
PURGE_SHARE: Final = 0.1  # of a core,
PURGE_SHARE_MAX: Final = 0.5  # and when tasks end faster than that deletes them
PURGE_EVERY_MS: Final = 10_000
EXPIRY, PURGE = "expiry", "purge"


class Expiry(Part):
    name = "tasks that expire"

    def __init__(self, core: Core, completion: Completion) -> None:
        self._store, self._timeline, self._completion = core.store, core.timeline, completion
        self._nearest = Nearest(core.agenda, self, EXPIRY, Clock.STEADY)

    def load(self, picture: Picture, now: Now) -> None:
        self._nearest.set(self._store.next_expiry())

    def expect(self, expires: int | None) -> None:
        """A task expires at this moment."""
        self._nearest.expect(expires)

    def due(self, key: Hashable, now: Now) -> None:
        if not self._timeline.jumped:  # after a jump of the clock the time is uncertain, and no task expires
            self._completion.expire(now, EXPIRED_MAX)
        self._nearest.set(self._store.next_expiry())


class Retention(Part):
    """Deletes results that are too old or too many, oldest first, and output beyond its bound."""

    name = "old results"

    def __init__(
        self, core: Core, routes: Routes, attempt_output: AttemptOutput, consulted: Consulted
    ) -> None:
        self._core, self._routes, self._attempt_output = core, routes, attempt_output
        self._consulted = consulted
        self._pace = Pace(core.seconds, PURGE_SHARE)
        self._finished: int | None = None  # tasks, after the last portion

    def load(self, picture: Picture, now: Now) -> None:
        # What ended before the start is found by no later event.
        if self._routes.finished() or picture.workers:
            self._look_later(now)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        self._look_later(now)

    def settle(self, now: Now) -> None:
        if self._attempt_output.has_grown:
            self._attempt_output.has_grown = False
            self._look_later(now)

    def committed(self) -> None:
        self._pace.committed()

    def _look_later(self, now: Now) -> None:
        if not self._core.agenda.has(self, PURGE):
            self._core.agenda.set(self, PURGE, now.mono + PURGE_EVERY_MS)

    def due(self, key: Hashable, now: Now) -> None:
        """One portion; the next one after a pause, if there may be more."""
        if self._core.timeline.jumped:  # the time is uncertain
            self._core.agenda.set(self, PURGE, now.mono)
            return
        pause = self._pace.portion(self._purge_step(now))
        if pause is not None:
            self._core.agenda.set(self, PURGE, now.mono + pause)
            self._keep_up()
            return
        self._pace.share, self._finished = PURGE_SHARE, None
        # When nothing is left to delete: what names a worker is gone by then.
        self._core.store.forget_workers(
            now.steady - self._core.limits.result_ttl_ms, self._consulted.workers.by_number
        )
        if self._routes.finished():
            self._look_later(now)

    def _keep_up(self) -> None:
        """Tasks must not end faster than they are deleted: whenever there are more than after the portion before, portions follow
        sooner, until nothing is left that is too old. If they went back to their pace before that, what a slow hour has left would
        never be deleted."""
        before, self._finished = self._finished, self._routes.finished()
        if before is not None and self._finished > before:
            self._pace.share = min(PURGE_SHARE_MAX, 2 * self._pace.share)

    def _purge_step(self, now: Now) -> Callable[[], bool]:
        """What deletes a little; it returns whether there may be more."""
        store, limits = self._core.store, self._core.limits
        surplus = self._routes.finished() - limits.results_max

        def step() -> bool:
            nonlocal surplus
            gone = store.purge(now.steady - limits.result_ttl_ms, STEP_TASKS, limits.result_ttl_ms)
            is_left = store.looks_on
            # Too old first: only what is left after them may be too many.
            if not gone and not is_left:
                too_many_bytes = store.counts.kept_bytes - limits.results_bytes_max
                if surplus > 0 or (limits.results_bytes_max and too_many_bytes > 0):
                    size = too_many_bytes if limits.results_bytes_max else 0
                    gone = store.purge_surplus(surplus, size, STEP_TASKS, limits.result_ttl_ms)
                    is_left = store.looks_on
            for route, state, tasks in gone:
                self._routes.purged(route, state, tasks)
                surplus -= tasks
            return bool(gone) or is_left or self._attempt_output.trim()

        return step
