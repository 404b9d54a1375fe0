"""Which workers serve which routes. Pure.

A capability is compared with each route once, and with a bounded number of routes in a transaction. So the cost of an
announcement in one transaction does not depend on how many routes there are or how expensive the worker's patterns are.
Each pair that matches is charged to the account of the key whose workers serve the route (``Resource.SERVED_ROUTES``).
Of the lanes of a route only base lanes are compared: the others are served by the same workers as their base.

One that is forgotten leaves a gap in the order of comparison, and the gaps are closed when they are half of it: so whatever number of
lanes came and went costs nothing for good.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Final

from ..engine.accounts import Account, Resource
from .route import Capability, CapabilityKey, Route

COMPARED_AT_ONCE: Final = 40_000  # glances, see engine/work.py: fifty milliseconds
TURN_ROUTES: Final = 1_000  # compared with one capability before it is the turn of the next
GAPS_SPARE: Final = 100  # that may be there besides half of the order


class ServedRoutes:
    def __init__(self, on_served: Callable[[Route], None]) -> None:
        """``on_served``: called when workers of one more kind serve a route."""
        self._on_served = on_served
        self.capabilities: dict[CapabilityKey, Capability] = {}
        self._in_order: list[Route | None] = []  # None: a gap
        self._places: dict[Route, int] = {}  # in it, of those that may be forgotten
        self._gaps = 0
        self._behind: dict[Capability, None] = {}  # not yet compared with all routes; they take turns
        self._full: dict[Capability, None] = {}  # likewise, but the account of their key is full
        self._left = COMPARED_AT_ONCE  # comparisons left in this transaction

    def clear(self) -> None:
        """The routes are not there any more; capabilities are compared with those that are added from now on."""
        self._in_order.clear()
        self._places.clear()
        self._gaps = 0
        for capability in self.capabilities.values():
            capability.account.give(Resource.SERVED_ROUTES, len(capability.routes))
            capability.routes.clear()
            capability.looked = 0
        self._behind = dict.fromkeys(self.capabilities.values())
        self._full.clear()

    def add(self, route: Route) -> None:
        if not route.is_plain:
            self._places[route] = len(self._in_order)
        self._in_order.append(route)
        self._behind.update((one, None) for one in self.capabilities.values() if one not in self._full)
        self._look()

    @property
    def has_more(self) -> bool:
        """Whether some capability was not compared with all routes yet."""
        return bool(self._behind)

    def capability(self, key: CapabilityKey, account: Account) -> Capability:
        capability = self.capabilities.get(key)
        if capability is None:
            capability = self.capabilities[key] = Capability(key, account)
            self._behind[capability] = None
            self._look()
        return capability

    def check_room(self, key: CapabilityKey, account: Account) -> None:
        """Raises QuotaExceeded for a new kind of worker when the account of its key is full."""
        if key not in self.capabilities:
            account.check(Resource.SERVED_ROUTES, 1)

    def forget_capability(self, capability: Capability) -> None:
        """No worker has this capability any more."""
        self.capabilities.pop(capability.key, None)
        self._behind.pop(capability, None)
        self._full.pop(capability, None)
        capability.account.give(Resource.SERVED_ROUTES, len(capability.routes))
        self._have_room_again()
        for route in capability.routes:
            del route.capabilities[capability]

    def forget(self, route: Route) -> None:
        """A base lane is not there any more: no worker serves it, and no key pays for that."""
        self._in_order[self._places.pop(route)] = None
        self._gaps += 1
        for capability in route.capabilities:
            del capability.routes[route]
            capability.account.give(Resource.SERVED_ROUTES)
        if route.capabilities:
            self._have_room_again()
        # Half of it: to close gaps costs a walk over all, which as many forgotten lanes have to pay for.
        if self._gaps > GAPS_SPARE + len(self._in_order) // 2:
            self._close_gaps()

    def _have_room_again(self) -> None:
        """Accounts that were full may be so no longer."""
        self._behind |= self._full
        self._full.clear()

    def _close_gaps(self) -> None:
        left_before = list(accumulate((one is not None for one in self._in_order), initial=0))
        for capability in self.capabilities.values():
            capability.looked = left_before[capability.looked]
        self._in_order = [one for one in self._in_order if one is not None]
        self._places = {one: place for place, one in enumerate(self._in_order) if one in self._places}
        self._gaps = 0

    def match(self) -> None:
        """Compare what is not compared yet, within the share of one transaction."""
        self._left = COMPARED_AT_ONCE
        self._look()

    def _look(self) -> None:
        while self._behind and self._left > 0:
            capability = next(iter(self._behind))
            del self._behind[capability]
            upto = min(len(self._in_order), capability.looked + TURN_ROUTES)
            while capability.looked < upto and self._left > 0:
                route = self._in_order[capability.looked]
                self._left -= 1 if route is None else capability.glances(route)
                if route is not None and not self._compare(route, capability):
                    break
                capability.looked += 1
            if capability.looked < len(self._in_order) and capability not in self._full:
                self._behind[capability] = None  # after all other capabilities

    def _compare(self, route: Route, capability: Capability) -> bool:
        """False: they match, and the account has no room for it."""
        if not capability.serves(route.queue.name, route.task):
            return True
        if not capability.account.takes(Resource.SERVED_ROUTES, 1):
            self._full[capability] = None
            return False
        capability.routes[route] = None
        route.capabilities[capability] = None
        self._on_served(route)
        return True
