"""Which workers serve which routes. Pure.

A capability is compared with each route once, and with a bounded number of routes in a transaction. So the cost of an
announcement in one transaction does not depend on how many routes there are or how expensive the worker's patterns are.
Each pair that matches is charged to the account of the key whose workers serve the route (``Resource.SERVED_ROUTES``).
Of the lanes of a route only base lanes are compared: the others are served by the same workers as their base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..engine.accounts import Account, Resource
from .route import Capability, CapabilityKey, Route

COMPARED_AT_ONCE: Final = 40_000  # glances, see engine/work.py: fifty milliseconds
TURN_ROUTES: Final = 1_000  # compared with one capability before it is the turn of the next


class ServedRoutes:
    def __init__(self, on_served: Callable[[Route], None]) -> None:
        """``on_served``: called when workers of one more kind serve a route."""
        self._on_served = on_served
        self.capabilities: dict[CapabilityKey, Capability] = {}
        self._in_order: list[Route] = []
        self._behind: dict[Capability, None] = {}  # not yet compared with all routes; they take turns
        self._full: dict[Capability, None] = {}  # likewise, but the account of their key is full
        self._left = COMPARED_AT_ONCE  # comparisons left in this transaction

    def clear(self) -> None:
        """The routes are not there any more; capabilities are compared with those that are added from now on."""
        self._in_order.clear()
        for capability in self.capabilities.values():
            capability.account.give(Resource.SERVED_ROUTES, len(capability.routes))
            capability.routes.clear()
            capability.looked = 0
        self._behind = dict.fromkeys(self.capabilities.values())
        self._full.clear()

    def add(self, route: Route) -> None:
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
        self._behind |= self._full  # its account may have room again
        self._full.clear()
        for route in capability.routes:
            del route.capabilities[capability]

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
                self._left -= capability.glances(route)
                if capability.serves(route.queue.name, route.task) and not self._add_served(
                    route, capability
                ):
                    break
                capability.looked += 1
            if capability.looked < len(self._in_order) and capability not in self._full:
                self._behind[capability] = None  # after all other capabilities

    def _add_served(self, route: Route, capability: Capability) -> bool:
        """Whether the account had room for it."""
        if not capability.account.takes(Resource.SERVED_ROUTES, 1):
            self._full[capability] = None
            return False
        capability.routes.append(route)
        route.capabilities[capability] = None
        self._on_served(route)
        return True
