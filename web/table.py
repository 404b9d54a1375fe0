"""Which address shows what, and which does what. The one list of views, of changes, and of what the navigation names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ..common.domain.model import Role
from .page import Action, View
from .views import (
    audit,
    bulk,
    cluster,
    data,
    failures,
    flows,
    keys,
    limits,
    locks,
    overview,
    queues,
    schedules,
    submit,
    task,
    tasks,
    workers,
)

VIEWS: Final[Mapping[str, View]] = {
    "/": overview.overview,
    "/tasks": tasks.tasks,
    "/tasks/{id}": task.task,
    "/submit": submit.submit,
    "/bulk/{job}": bulk.bulk,
    "/failures": failures.failures,
    "/queues": queues.queues,
    "/limits": limits.limits,
    "/workers": workers.workers,
    "/workers/{node}": workers.worker,
    "/schedules": schedules.schedules,
    "/schedule": schedules.schedule,
    "/flows": flows.flows,
    "/flows/{id}": flows.flow,
    "/locks": locks.locks,
    "/data": data.data,
    "/keys": keys.keys,
    "/audit": audit.audit,
    "/cluster": cluster.cluster,
}
# What they show is of one log-in, a draft or an action under way; all others show the same to all log-ins of a key.
PERSONAL: Final = frozenset({"/submit", "/bulk/{job}"})
ACTIONS: Final[Mapping[str, Action]] = {
    "/submit": submit.send,
    "/bulk": bulk.count,
    "/bulk/{job}/act": bulk.act,
    "/bulk/{job}/stop": bulk.stop,
    "/tasks/{id}/retry": task.retry,
    "/tasks/{id}/retry-from": task.retry_from_here,
    "/tasks/{id}/cancel": task.cancel,
    "/queues/pause": queues.pause,
    "/queues/resume": queues.resume,
    "/limits/set": limits.set_limit,
    "/limits/reset": limits.reset_limit,
    "/strikes/add": limits.strike,
    "/strikes/remove": limits.lift,
    "/tenants/set": limits.set_tenant,
    "/tenants/reset": limits.reset_tenant,
    "/workers/{node}/drain": workers.drain,
    "/schedules/pause": schedules.pause,
    "/schedules/resume": schedules.resume,
    "/schedules/edit": schedules.edit,
    "/schedules/run-now": schedules.run_now,
    "/flows/{id}/cancel": flows.cancel,
    "/flows/{id}/retry": flows.retry,
    "/flows/{id}/signal": flows.signal,
    "/locks/break": locks.take_away,
    "/data/delete": data.delete,
    "/cluster/examine": cluster.examine,
    "/keys/{id}/revoke": keys.revoke,
}


class NavigationEntry(NamedTuple):
    """An entry of the navigation. ``key``: what is pressed after g. ``role``: whose keys may see it; None: all."""

    path: str
    title: str
    key: str
    role: Role | None = None


NAVIGATION: Final[Sequence[NavigationEntry]] = (
    NavigationEntry("/", "Overview", "o"),
    NavigationEntry("/tasks", "Tasks", "t"),
    NavigationEntry("/failures", "Failures", "x"),
    NavigationEntry("/queues", "Queues", "q"),
    NavigationEntry("/limits", "Limits", "m"),
    NavigationEntry("/workers", "Workers", "w"),
    NavigationEntry("/schedules", "Schedules", "s"),
    NavigationEntry("/flows", "Flows", "f"),
    NavigationEntry("/locks", "Locks", "l"),
    NavigationEntry("/data", "Data", "d"),
    NavigationEntry("/keys", "Keys", "k", Role.ADMIN),
    NavigationEntry("/audit", "Audit", "a"),
    NavigationEntry("/cluster", "Cluster", "c"),
)
