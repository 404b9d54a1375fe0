"""The permits and tokens of limits: taken from the store's picture, written with the leases that use them, looked at when tokens come.

A permit is a lease, so that a restart counts the leases of the store. Tokens are rows, written in the transaction of the lease that takes
them: before it leaves the master.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from heapq import nsmallest
from typing import Final, Protocol

from ..engine.agenda import Agenda, Clock
from ..engine.clock import Now
from ..engine.part import Part
from ..limits.limits import KeyUsage, LimitTotals
from ..store.interface.store import Picture, Store
from .route import RUNNING
from .routes import Routes

LOOKS: Final = 16  # keys that each transaction looks at, whether they have nothing to remember: some 10 µs


class ChangedLimits(Protocol):
    """Who says which limits hold otherwise from now on: ``master/limits``."""

    def listen(self, listener: Callable[[str], None]) -> None: ...


class Limiter(Part):
    name = "limits with a rate"

    def __init__(self, store: Store, routes: Routes, agenda: Agenda, limits: ChangedLimits) -> None:
        self._store, self._routes, self._agenda = store, routes, agenda
        self._held = routes.lanes.held
        limits.listen(self._held.changed)

    def load(self, picture: Picture, now: Now) -> None:
        self._held.permits.load(self._store.limits.buckets(), now.steady)
        for lane in self._routes:
            if lane.key.limits and (running := lane.running):
                self._held.permits.runs(lane.key.limits, running, now.steady)

    def due(self, key: Hashable, now: Now) -> None:
        """A token has come."""
        if isinstance(key, tuple):
            self._held.freed(key)

    def settle(self, now: Now) -> None:
        self._held.permits.forget_idle(now.steady, LOOKS)  # also while nothing starts: an account may be full
        if self._held.timers:
            for key, moment in self._held.timers.items():
                self._agenda.set(self, key, moment, Clock.STEADY)
            self._held.timers.clear()
        # After the timers, which lanes that wait for company have without a limit.
        if not self._routes.of_limit:
            return
        rows = self._held.permits.unwritten()
        if rows:
            self._store.limits.put_buckets(rows)
            self._store.limits.drop_full(now.steady, 2 * len(rows))  # more than were added

    # what is shown

    def totals(self, name: str) -> LimitTotals:
        used = self._by_key(name)
        return LimitTotals(
            len(used), sum(running for running, _ in used.values()), sum(ready for _, ready in used.values())
        )

    def unfinished(self, name: str) -> int:
        lanes = self._routes.of_limit.get(name, ())
        return sum(sum(lane.counts[: RUNNING + 1]) + (lane.share is not None) for lane in lanes)

    def keys(self, name: str, most: int, now: Now) -> list[KeyUsage]:
        used = ((-ready, -running, key) for key, (running, ready) in self._by_key(name).items())
        state = self._held.permits.state
        return [
            KeyUsage(key, -running, -ready, state(name, key, now.steady).tokens)
            for ready, running, key in nsmallest(most, used)
        ]

    def _by_key(self, name: str) -> dict[str, tuple[int, int]]:
        """Of each key that has something which runs or is ready: the units that run, and the ready tasks. One look at each lane: there
        may be very many."""
        found: dict[str, tuple[int, int]] = {}
        for lane in self._routes.of_limit.get(name, ()):
            ready, running = lane.ready, lane.running
            if ready or running:
                for limit, key, units in lane.key.limits:
                    if limit == name:
                        before = found.get(key, (0, 0))
                        found[key] = before[0] + units * running, before[1] + ready
        return found
