"""Whose turn it is among tenants: those first whose last turn is the longest ago. Pure.

A turn is so many tasks as the tenant's weight says (deficit round robin: a task is the unit, and what is left of a turn is kept for the next
choice). Tenants take turns among those whose first task has the same priority, whichever queues their tasks are in. So before a tenant with
something ready is served, each other one has one turn at most, however much it has. One that was not here before comes after those that
were: a new name is no way to the front.

Nothing here looks at all tenants: who is next is found by the numbers of their last turns (see tenant_lines.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from .route import Tenant


class TenantTurns:
    """The tenants of the lanes that there are; one whose last lane is forgotten is forgotten, too."""

    def __init__(self) -> None:
        self._of: dict[str, Tenant] = {}
        self._count = 0

    def clear(self) -> None:
        self._of.clear()

    def of(self, name: str) -> Tenant:
        tenant = self._of.get(name)
        if tenant is None:
            self._count += 1
            tenant = self._of[name] = Tenant(name, self._count)
        return tenant

    def left(self, tenant: Tenant) -> None:
        """One of its lanes is forgotten."""
        tenant.lanes -= 1
        if not tenant.lanes:
            del self._of[tenant.name]

    def took(self, tenant: Tenant, tasks: int) -> None:
        """So many of its tasks were given to workers."""
        tenant.left -= tasks
        if tenant.left <= 0:
            self._count += 1
            tenant.last, tenant.left = self._count, tenant.weight - -tenant.left % tenant.weight


def shares(tenants: Sequence[Tenant], want: int) -> list[int]:
    """How many of so many tasks each of these tenants gets, in the order of their turns: what is left of their turns, and then whole
    ones."""
    given = []
    for one in tenants:
        given.append(min(one.left, want))
        want -= given[-1]
    rounds, want = divmod(want, sum(one.weight for one in tenants))
    for place, one in enumerate(tenants):
        more = min(one.weight, want)
        given[place] += rounds * one.weight + more
        want -= more
    return given
