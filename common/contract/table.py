"""All contracts by the names of their objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from . import (
    audit,
    blobs,
    data,
    dependencies,
    flows,
    items,
    keys,
    limits,
    locks,
    objects,
    observe,
    outbox,
    queues,
    schedules,
    steps,
    strikes,
    tasks,
    tenants,
    workers,
)
from .method import Contract

# Every master has these, and performs their calls inside its engine; arguments and answers are plain values.
BUILT_IN: Final[Mapping[str, Contract]] = {
    one.name: one
    for one in (
        tasks.TASK_QUEUE,
        tasks.RESULT_QUEUE,
        tasks.TASKS,
        items.QUEUE,
        locks.LOCK,
        locks.EVENT,
        locks.BARRIER,
        locks.LOCKS,
        data.DATUM,
        data.DATA,
        workers.DISPATCHER,
        workers.WORKERS,
        blobs.BLOBS,
        dependencies.DEPENDENCIES,
        queues.QUEUES,
        keys.KEYS,
        schedules.SCHEDULES,
        limits.LIMITS,
        outbox.OUTBOX,
        strikes.STRIKES,
        tenants.TENANTS,
        steps.STEPS,
        flows.FLOWS,
        audit.AUDIT,
        observe.MASTER,
    )
}
# Every master has these as well; they run in threads beside the engine, and take payloads of encoded values.
BESIDE: Final[Mapping[str, Contract]] = {one.name: one for one in (objects.SHARED, observe.DISK)}


def is_repeatable(name: str, method: str) -> bool:
    """Whether a call has the same effect when it is made twice. One of a user's own object never has: that cannot be known."""
    contract = BUILT_IN.get(name)
    known = None if contract is None else contract.methods.get(method)
    return known is not None and known.repeatable
