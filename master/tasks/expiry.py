"""Expires tasks that were not started in time, and deletes results that are too old or too many."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

from ..engine.agenda import Clock
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.endings import Ended
from ..engine.part import Part
from ..store.interface.store import Picture
from .attempt_output import AttemptOutput
from .completion import Completion
from .routes import Routes
from .scheduled import Nearest

EXPIRED_MAX: Final = 1_000  # tasks in one transaction
PURGED_MAX: Final = 1_000
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

    def __init__(self, core: Core, routes: Routes, attempt_output: AttemptOutput) -> None:
        self._core, self._routes, self._attempt_output = core, routes, attempt_output

    def load(self, picture: Picture, now: Now) -> None:
        if self._routes.finished() or picture.workers:
            self._look_later(now)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        self._look_later(now)

    def settle(self, now: Now) -> None:
        if self._attempt_output.has_grown:
            self._attempt_output.has_grown = False
            self._look_later(now)

    def _look_later(self, now: Now) -> None:
        if not self._core.agenda.has(self, PURGE):
            self._core.agenda.set(self, PURGE, now.mono + PURGE_EVERY_MS)

    def due(self, key: Hashable, now: Now) -> None:
        if self._core.timeline.jumped or self._purge(now):  # the time is uncertain
            self._core.agenda.set(self, PURGE, now.mono)
        else:
            self._core.store.forget_workers(now.steady - self._core.limits.result_ttl_ms)
            if self._routes.finished():
                self._look_later(now)

    def _purge(self, now: Now) -> bool:
        """Delete a bounded portion; whether there may be more."""
        store, limits = self._core.store, self._core.limits
        surplus = min(PURGED_MAX, self._routes.finished() - limits.results_max)
        rows = store.purge(now.steady - limits.result_ttl_ms, PURGED_MAX)
        if surplus > len(rows):
            rows += store.purge(now.steady, surplus - len(rows))
        for route, state in rows:
            self._routes.by_number[route].counts[state] -= 1
        return self._attempt_output.trim() or len(rows) >= PURGED_MAX
