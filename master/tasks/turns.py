"""Whose turn it is among tenants: one task each, those first that were served longest ago. Pure.

Tenants take turns among those whose first task has the same priority, whichever queues their tasks are in. So before a tenant with something
ready is served, each other one is served once at most, however much it has. One that was not here before comes after those that were:
a new name is no way to the front.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

TENANTS_MAX: Final = 10_000  # whose last turn is remembered, besides those that wait


class TenantTurns:
    def __init__(self) -> None:
        # When each was served last, or came: a number that grows. In that order.
        self._last: dict[str, int] = {}
        self._count = 0

    def shares(self, tenants: Iterable[str], want: int) -> dict[str, int]:
        """How many of so many tasks each of these tenants gets, in the order of their turns."""
        waiting = list(tenants)
        for one in waiting:
            if one not in self._last:
                self.served(one)
        if len(self._last) > 2 * TENANTS_MAX + len(waiting):
            self._forget(set(waiting))
        order = sorted(waiting, key=self._last.__getitem__)
        each, rest = divmod(want, len(order))
        shares = {tenant: each + (place < rest) for place, tenant in enumerate(order)}
        return {tenant: share for tenant, share in shares.items() if share}

    def served(self, tenant: str) -> None:
        self._count += 1
        self._last.pop(tenant, None)
        self._last[tenant] = self._count

    def _forget(self, waiting: Container[str]) -> None:
        """Those that were served longest ago. One that waits is not forgotten: it would come after all others again, each time."""
        idle = [one for one in self._last if one not in waiting]
        for one in idle[: len(self._last) - TENANTS_MAX]:
            del self._last[one]
