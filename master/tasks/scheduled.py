"""Tasks that wait for a moment, each on its own kind of clock: see ``master/engine/clock.py``.

The store has the rows. In memory is only the nearest moment of each kind, never later than the true one, so that the store is not
read before something is due.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from ...common.domain.model import StateNumber
from ..engine.agenda import Agenda, Clock
from ..engine.clock import Now
from ..engine.part import Part
from ..store.interface.store import Picture, Store
from .routes import Routes

SCHEDULED, READY = int(StateNumber.SCHEDULED), int(StateNumber.READY)
PROMOTED_MAX: Final = 1_000  # tasks in one transaction
DUE, AT = "due", "at"


class Nearest:
    """The nearest moment of one kind, kept in the agenda of a part."""

    def __init__(self, agenda: Agenda, part: Part, key: Hashable, clock: Clock) -> None:
        self._agenda, self._part, self._key, self._clock = agenda, part, key, clock
        self._moment: int | None = None

    def set(self, moment: int | None) -> None:
        """Take the store's nearest moment."""
        self._moment = moment
        self._agenda.set(self._part, self._key, moment, self._clock)

    def expect(self, moment: int | None) -> None:
        """A task waits for this moment, too."""
        if moment is not None and (self._moment is None or moment < self._moment):
            self.set(moment)


class ScheduledTasks(Part):
    """Makes scheduled tasks ready when their moment has come."""

    name = "tasks that are due"

    def __init__(self, store: Store, routes: Routes, agenda: Agenda) -> None:
        self._store, self._routes = store, routes
        self._due, self._at = Nearest(agenda, self, DUE, Clock.STEADY), Nearest(agenda, self, AT, Clock.WALL)

    def load(self, picture: Picture, now: Now) -> None:
        self._due.set(self._store.next_due())
        self._at.set(self._store.next_at())

    def expect(self, *, due: int | None = None, at: int | None = None) -> None:
        """A task waits for this moment."""
        self._due.expect(due)
        self._at.expect(at)

    def due(self, key: Hashable, now: Now) -> None:
        if key == DUE:
            promoted = self._store.promote(now.steady, PROMOTED_MAX)
            self._due.set(self._store.next_due())
        else:
            promoted = self._store.promote_at(now.wall, PROMOTED_MAX)
            self._at.set(self._store.next_at())
        for route, seq, stop in promoted:
            self._routes.move(route, SCHEDULED, READY, seq, stop - seq)
