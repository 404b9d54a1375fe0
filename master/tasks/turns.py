"""Whose turn it is among tenants: one task each, those first that were served longest ago. Pure.

Tenants take turns among those whose first task has the same priority, whichever queues their tasks are in. So before a tenant with something
ready is served, each other one is served once at most, however much it has. One that was not here before comes after those that were:
a new name is no way to the front.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

TENANTS_MAX: Final = 10_000  # whose last turn is remembered


class TenantTurns:
    def __init__(self) -> None:
        self._last: dict[str, int] = {}  # when each was served last, or came: a number that grows
        self._count = 0

    def shares(self, tenants: Iterable[str], want: int) -> dict[str, int]:
        """How many of so many tasks each of these tenants gets, in the order of their turns."""
        order = sorted(tenants, key=self._turn_of)
        each, rest = divmod(want, len(order))
        shares = {tenant: each + (place < rest) for place, tenant in enumerate(order)}
        return {tenant: share for tenant, share in shares.items() if share}

    def served(self, tenant: str) -> None:
        self._count += 1
        self._last[tenant] = self._count

    def _turn_of(self, tenant: str) -> int:
        turn = self._last.get(tenant)
        if turn is None:
            while len(self._last) >= TENANTS_MAX:
                del self._last[next(iter(self._last))]
            self.served(tenant)
            turn = self._last[tenant]
        return turn
