"""The terms of a task, for people to read: whose it is, what limits it counts for, what it asks of its worker, until when."""

from __future__ import annotations

from typing import Any

from ...common.domain.amounts import units
from ...common.domain.model import UNIX_SECONDS_MIN, StateNumber, TaskOptions
from ...common.wire.frames import unpack
from ..engine.engine import Engine
from ..store.interface.queries import FullTask
from .array_tenants import ArrayTenantsLook
from .explain_placing import lane_of


def shown_terms(engine: Engine, task: FullTask) -> dict[str, Any]:
    """What differs from the usual. Of a task that has ended no limits: it counts for none."""
    options = TaskOptions.from_wire(unpack(task.options)) if task.options else TaskOptions()
    usual = TaskOptions()
    created = engine.now.shown(task.created)
    deadline = options.deadline
    if deadline is not None and deadline < UNIX_SECONDS_MIN:
        deadline += created
    terms: dict[str, Any] = {
        "tenant": "",
        "limits": [],
        "needs": {name: units(amount) for name, amount in options.needs},
        "where": options.where,
        "deadline": deadline,
        "expires": None if task.expires is None else engine.now.shown(task.expires),
        "delivery": "" if options.delivery == usual.delivery else str(options.delivery),
        "max_crashes": None if options.max_crashes == usual.max_crashes else options.max_crashes,
        "result": "" if options.result == usual.result else str(options.result),
        "result_ttl": options.result_ttl,
    }
    lane = lane_of(engine, task)
    # An array whose tasks have all ended is no longer in memory: its task's lane is the mixed one then.
    terms["tenant"] = ArrayTenantsLook(engine.store).of(task.seq) if lane.key.is_mixed else lane.key.tenant
    if not StateNumber(task.state).is_terminal:
        terms["limits"] = [{"name": name, "key": key, "units": count} for name, key, count in lane.key.limits]
    return {name: value for name, value in terms.items() if value not in ("", None, [], {})}
