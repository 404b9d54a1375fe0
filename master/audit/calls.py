"""The object that shows the audit log. ``master/tasks/calls.py`` has the rules of exposed objects, ``log.py`` the behaviour.

``get_audit()``. It has what was done in all queues: it takes a key of all queues to see it.
"""

from __future__ import annotations

from typing import Any, Final

from ...common.contract.audit import AuditRow
from ...common.contract.exposed import exposed
from ...common.contract.method import Audited
from ...common.contract.rows import to_wire
from ...common.contract.table import BUILT_IN
from ...common.domain.model import Role
from ...common.errors import Forbidden
from ..api.validation import NUMBER_MAX, EngineObject, validate_seconds, validate_text, validate_whole
from ..engine.session import Call
from .log import AuditLog

Rows = list[list[Any]]  # an alias, because the object has a method called list
LIST_MAX: Final = 500  # rows of one answer
WORDS: Final = {
    f"{name}.{method}": agreed.audited.words
    for name, contract in BUILT_IN.items()
    for method, agreed in contract.methods.items()
    if isinstance(agreed.audited, Audited)
}


class AuditObject(EngineObject):
    """``get_audit()``"""

    @exposed(Role.VIEWER)
    def list(
        self,
        call: Call,
        limit: int = 100,
        before: int | None = None,
        since: float | None = None,
        key: str | None = None,
    ) -> Rows:
        """What was changed, the newest first. ``before``: only rows with a number below; ``since``: only what began then or later, Unix
        seconds; ``key``: only by the key with this id."""
        if call.session.verifier.queues:
            raise Forbidden(
                "the audit log is of all queues, and this key may use some; ask for a key of all queues"
            )
        now = self.engine.now
        most = validate_whole("limit", limit, 1, LIST_MAX)
        below = NUMBER_MAX if before is None else validate_whole("before", before, 0, NUMBER_MAX)
        moment = 0 if since is None else int(validate_seconds("since", since) * 1000) - now.shift
        name = None if key is None else validate_text("key", key)
        self.engine.work.glanced(most)
        self.engine.part(AuditLog).settle(now)  # what this transaction has changed before
        return [
            to_wire(
                AuditRow(
                    number,
                    now.shown(row.at),
                    now.shown(row.last),
                    row.key,
                    row.address,
                    row.node,
                    row.method,
                    WORDS.get(row.method, row.method),
                    row.target,
                    row.calls,
                    row.reached,
                )
            )
            for number, row in self.engine.store.audit.rows(below, moment, most, name)
        ]
