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
from ...common.domain.tenants import check_tenant
from ...common.errors import Forbidden
from ..api.validation import EngineObject, validate_text, validate_whole
from ..engine.session import Call
from .tenants import SetTenants

LIST_MAX: Final = 500  # in one answer

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
    def set(self, call: Call, name: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Set ``weight`` (tasks in a turn) or ``max_running`` (at once; nil: any number); what is not named stays. Answers the tenant."""
        _check_covers(call)
        self.engine.part(SetTenants).change(check_tenant(name), changes, self.engine.now)
        return self._row(name)

    @exposed(Role.ADMIN)
    def remove(self, call: Call, name: str) -> None:
        """Forget what is set for a tenant: it has weight 1 and no cap."""
        _check_covers(call)
        self.engine.part(SetTenants).drop(check_tenant(name))

    def _row(self, name: str) -> dict[str, Any]:
        part = self.engine.part(SetTenants)
        row = part.row(name)
        return {
            "name": name,
            **part.terms(name)._asdict(),
            "since": None if row is None else self.engine.now.shown(row.since),
            **part.usage.use(name)._asdict(),
        }


def _check_covers(call: Call) -> None:
    verifier = call.session.verifier
    if verifier.queues or verifier.tenant:
        raise Forbidden("tenants share the whole cluster: this takes a key of all queues, and of no tenant")
