"""When tasks that wait for a moment are due next, each on the clock that it is meant on: see ``master/engine/clock.py``.

The store has the rows; here is the nearest moment of each kind, at or before the true one, so that nothing is read
from the store before something is due.
"""

from __future__ import annotations

from ..engine.clock import Now
from ..store.interface.store import Store
from .routes import Lanes

SCHEDULED, READY = 1, 0


class Dues:
    def __init__(self, store: Store, lanes: Lanes) -> None:
        self._store, self._lanes = store, lanes
        self._due: int | None = None  # on the steady clock
        self._at: int | None = None  # on the wall's
        self._expiry: int | None = None  # on the steady clock

    def load(self) -> None:
        store = self._store
        self._due, self._at, self._expiry = store.next_due(), store.next_at(), store.next_expiry()

    def expect(self, *, due: int | None = None, at: int | None = None, expires: int | None = None) -> None:
        """A task waits for these."""
        self._due, self._at = _nearer(self._due, due), _nearer(self._at, at)
        self._expiry = _nearer(self._expiry, expires)

    def deadlines(self, now: Now) -> list[int]:
        """Monotonic ms at which each is due."""
        moments = ((self._due, now.steady), (self._at, now.wall), (self._expiry, now.steady))
        return [now.mono + max(0, moment - clock) for moment, clock in moments if moment is not None]

    def promote(self, now: Now, limit: int) -> None:
        """Scheduled tasks whose moment has come are ready, ``limit`` of each kind."""
        lanes: list[int] = []
        if self._due is not None and self._due <= now.steady:
            lanes += self._store.promote(now.steady, limit)
            self._due = self._store.next_due()
        if self._at is not None and self._at <= now.wall:
            lanes += self._store.promote_at(now.wall, limit)
            self._at = self._store.next_at()
        for lane in lanes:
            self._lanes.move(lane, SCHEDULED, READY)

    def has_expired(self, now: Now) -> bool:
        return self._expiry is not None and self._expiry <= now.steady

    def expired(self) -> None:
        """What had expired was ended, or a portion of it."""
        self._expiry = self._store.next_expiry()


def _nearer(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)
