"""The permits and tokens of limits: taken from the store's picture, written with the leases that use them, looked at when tokens come.

A permit is a lease, so that a restart counts the leases of the store. Tokens are rows, written in the transaction of the lease that takes
them: before it leaves the master.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final, Protocol

from ...common.domain.model import StateNumber
from ..engine.agenda import Agenda, Clock
from ..engine.clock import Now
from ..engine.part import Part
from ..limits.limits import KeyUsage, LimitTotals
from ..store.interface.store import Picture, Store
from .route import READY, Route
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
            if lane.key.limits and (running := lane.counts[StateNumber.RUNNING]):
                self._held.permits.runs(lane.key.limits, running, now.steady)

    def due(self, key: Hashable, now: Now) -> None:
        """A token has come."""
        if isinstance(key, tuple):
            self._held.freed(key)

    def settle(self, now: Now) -> None:
        self._held.permits.forget_idle(now.steady, LOOKS)  # also while nothing starts: an account may be full
        if not self._routes.of_limit:
            return
        if self._held.timers:
            for key, moment in self._held.timers.items():
                self._agenda.set(self, key, moment, Clock.STEADY)
            self._held.timers.clear()
        rows = self._held.permits.unwritten()
        if rows:
            self._store.limits.put_buckets(rows)
            self._store.limits.drop_full(now.steady, 2 * len(rows))  # more than were added

    # what is shown

    def totals(self, name: str) -> LimitTotals:
        units = keys = waiting = 0
        for lanes in self._by_key(name).values():
            keys += 1
            units += _units(name, lanes)
            waiting += sum(lane.counts[READY] for lane in lanes)
        return LimitTotals(keys, units, waiting)

    def unfinished(self, name: str) -> int:
        lanes = self._routes.of_limit.get(name, ())
        return sum(sum(lane.counts[: StateNumber.RUNNING + 1]) for lane in lanes)

    def keys(self, name: str, most: int, now: Now) -> list[KeyUsage]:
        found = []
        for key, lanes in self._by_key(name).items():
            tokens = self._held.permits.state(name, key, now.steady).tokens
            found.append(
                KeyUsage(key, _units(name, lanes), sum(lane.counts[READY] for lane in lanes), tokens)
            )
        return sorted(found, key=lambda one: (-one.waiting, -one.running, one.key))[:most]

    def _by_key(self, name: str) -> dict[str, list[Route]]:
        """The lanes of each key that has something which runs or is ready."""
        found: dict[str, list[Route]] = {}
        for lane in self._routes.of_limit.get(name, ()):
            if lane.counts[READY] or lane.counts[StateNumber.RUNNING]:
                for limit, key, _ in lane.key.limits:
                    if limit == name:
                        found.setdefault(key, []).append(lane)
        return found


def _units(name: str, lanes: Iterable[Route]) -> int:
    """Of the tasks that run."""
    return sum(
        units * lane.counts[StateNumber.RUNNING]
        for lane in lanes
        for limit, _, units in lane.key.limits
        if limit == name
    )
