"""Whose turn it is among tenants: those first whose last turn is the longest ago. Pure.

A turn is so many tasks as the tenant's weight says (deficit round robin: a task is the unit, and what is left of a turn is kept for the next
choice). Tenants take turns among those whose first task has the same priority, whichever queues their tasks are in. So before a tenant with
something ready is served, each other one has one turn at most, however much it has. One that was not here before comes after those that
were: a new name is no way to the front.

Nothing here looks at all tenants: who is next is found by the numbers of their last turns (see tenant_lines.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from ...common.domain.tenants import NO_TERMS, TenantTerms
from ..tenants.tenants import NO_USE, TenantUse
from .route import READY, RUNNING, Tenant


class TenantTurns:
    """The tenants of the lanes that there are; one whose last lane is forgotten is forgotten, too."""

    def __init__(self, terms: Callable[[str], TenantTerms] = lambda name: NO_TERMS) -> None:
        """``terms``: what is set for a tenant."""
        self._terms = terms
        self._of: dict[str, Tenant] = {}
        self._capped: set[Tenant] = set()
        self._count = 0

    def clear(self) -> None:
        self._of.clear()
        self._capped.clear()

    @property
    def are_several(self) -> bool:
        return len(self._of) > 1

    @property
    def are_capped(self) -> bool:
        """Whether one of them may run so many tasks and no more."""
        return bool(self._capped)

    def of(self, name: str) -> Tenant:
        tenant = self._of.get(name)
        if tenant is None:
            self._count += 1
            # Its first turn is behind all that were served, see the module's docstring.
            tenant = self._of[name] = Tenant(name, self._count, self._terms(name))
            self._note_cap(tenant)
        return tenant

    def _note_cap(self, tenant: Tenant) -> None:
        (self._capped.discard if tenant.max_running is None else self._capped.add)(tenant)

    def left(self, tenant: Tenant) -> bool:
        """One of its lanes is forgotten; whether it is, too."""
        tenant.lanes -= 1
        if not tenant.lanes:
            # Also how much of its turn is left: a tenant that empties its queue to begin a new turn comes after all others instead.
            del self._of[tenant.name]
            self._capped.discard(tenant)
        return not tenant.lanes

    def changed(self, name: str) -> Tenant | None:
        """Something else is set for a tenant from now on. None: it has no tasks here."""
        tenant = self._of.get(name)
        if tenant is not None:
            tenant.weight, tenant.max_running, _ = self._terms(name)
            self._note_cap(tenant)
            # A smaller weight holds for the turn under way, too.
            tenant.left = min(tenant.left, tenant.weight)
        return tenant

    # what is shown

    def names(self) -> Collection[str]:
        return self._of.keys()

    def use(self, name: str) -> TenantUse:
        tenant = self._of.get(name)
        if tenant is None:
            return NO_USE
        ready = tenant.counts[READY]
        return TenantUse(ready, tenant.counts[RUNNING], ready if tenant.is_full else 0)

    def took(self, given: Mapping[Tenant, int]) -> None:
        """So many tasks of each were given to workers by one answer."""
        # Who had more turns in it had the last of them later, and comes after the others next time.
        for tenant in sorted(given, key=lambda one: -((one.left - given[one]) // one.weight)):
            tenant.left -= given[tenant]
            if tenant.left <= 0:
                self._count += 1
                # What it took beyond its turn (calls that run together) is taken from the next one.
                tenant.last, tenant.left = self._count, tenant.weight - -tenant.left % tenant.weight


def shares(tenants: Sequence[Tenant], want: int) -> list[int]:
    """How many of so many tasks each of these tenants gets, in the order of their turns: what is left of their turns, and then whole
    ones. None gets more than it has ready, or than its cap lets start."""
    rooms = [min(one.room, one.counts[READY]) for one in tenants]
    given = []
    for one, room in zip(tenants, rooms, strict=True):
        given.append(min(one.left, room, want))
        want -= given[-1]
    while want and (others := [place for place, room in enumerate(rooms) if given[place] < room]):
        # Whole rounds at once: a want of thousands among few tenants is a handful of steps.
        rounds = max(1, want // sum(tenants[place].weight for place in others))
        for place in others:
            more = min(rounds * tenants[place].weight, rooms[place] - given[place], want)
            given[place] += more
            want -= more
    return given
