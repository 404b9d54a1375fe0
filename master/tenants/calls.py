"""The object for tenants that every master exposes. ``master/tasks/calls.py`` has the rules of exposed objects, ``tenants.py`` the
behaviour.

``get_tenants()``. Tenants share the whole cluster: a key that is bound to queues sees and sets nothing of them, and a key of a tenant
sees that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.domain.model import Role
from ...common.domain.shards import ONLY_SHARD
from ...common.domain.tenants import TenantTerms, check_tenant
from ...common.errors import Forbidden
from ..api.validation import EngineObject, validate_text, validate_whole
from ..engine.session import Call
from .tenants import SetTenants, TenantUse

LIST_MAX: Final = 500  # in one answer
CHANGE_MAX: Final = (1 << 62) - 1

Rows = Sequence[dict[str, Any]]  # an alias, because the object has a method called list


class TenantsObject(EngineObject):
    """``get_tenants()``"""

    @exposed(Role.VIEWER)
    def list(self, call: Call, after: str | None = None, limit: int = LIST_MAX) -> Rows:
        """Tenants with a name above ``after``, in order: what is set, and what waits and runs. The first one may have no name: tasks
        without a tenant. A key of a tenant sees that."""
        own = call.session.verifier.tenant
        most, above = validate_whole("limit", limit, 1, LIST_MAX), after
        if above is not None:
            validate_text("after", above)
        if own:
            return [self._row(own)] if above is None or own > above else []
        _check_covers(call)
        names = self.engine.part(SetTenants).names_after(above, most)
        self.engine.work.glanced(len(names))
        return [self._row(name) for name in names]

    @exposed(Role.ADMIN)
    def plan(self, call: Call, name: str, changes: dict[str, Any]) -> Sequence[Any]:
        """What a change is to be in all shards: its number, and all terms of the tenant then. Changes with a lower number are refused here
        from now on. The first shard is asked."""
        _check_covers(call)
        number, terms = self.engine.part(SetTenants).plan(check_tenant(name), changes)
        return [number, {**terms._asdict(), "shards_of": [*terms.shards_of]}]

    @exposed(Role.ADMIN)
    def set(
        self, call: Call, name: str, changes: dict[str, Any], lowers: bool = False, change: int | None = None
    ) -> dict[str, Any]:
        """Set ``weight`` (tasks in a turn), ``max_running`` (at once; nil: any number) or ``shards_of`` (queues in whose shards that is); what
        is not named stays. ``lowers``: only in a shard that has less then. ``change``: the number that ``plan`` gave it. Answers the tenant."""
        _check_covers(call)
        number = None if change is None else validate_whole("change", change, 1, CHANGE_MAX)
        part = self.engine.part(SetTenants)
        part.change(check_tenant(name), changes, self.engine.now, lowers=lowers is True, number=number)
        return self._row(name)

    @exposed(Role.ADMIN)
    def remove(self, call: Call, name: str) -> None:
        """Forget what is set for a tenant: it has weight 1 and no cap."""
        _check_covers(call)
        self.engine.part(SetTenants).drop(check_tenant(name))

    def _row(self, name: str) -> dict[str, Any]:
        part = self.engine.part(SetTenants)
        row, terms, use = part.row(name), part.terms(name), part.usage.use(name)
        return {
            "name": name,
            "weight": terms.weight,
            "max_running": terms.max_running,
            "since": None if row is None else self.engine.now.shown(row.since),
            **use._asdict(),
            **({} if terms.max_running is None else self._division(name, terms, use)),
        }

    def _division(self, name: str, terms: TenantTerms, use: TenantUse) -> dict[str, Any]:
        """Of its cap, in a cluster of several shards."""
        if self.engine.core.shard == ONLY_SHARD:
            return {}
        part = self.engine.part(SetTenants)
        # They wait until their queue is named for it.
        stranded = use.waiting if part.here(name).max_running == 0 else 0
        return {
            "over": part.divided_over(name),
            "shards_of": list(terms.shards_of),
            "stranded": stranded,
        }


def _check_covers(call: Call) -> None:
    verifier = call.session.verifier
    if verifier.queues or verifier.tenant:
        raise Forbidden("tenants share the whole cluster: this takes a key of all queues, and of no tenant")
