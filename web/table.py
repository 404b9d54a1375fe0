"""Which address shows what, and which does what. The one list of views, of changes, and of what the navigation names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ..common.domain.model import Role
from .page import Action, View
from .views import bulk, failures, flows, keys, locks, overview, queues, schedules, task, tasks, workers

VIEWS: Final[Mapping[str, View]] = {
    "/": overview.overview,
    "/tasks": tasks.tasks,
    "/tasks/{id}": task.task,
    "/bulk/{job}": bulk.bulk,
    "/failures": failures.failures,
    "/queues": queues.queues,
    "/workers": workers.workers,
    "/workers/{node}": workers.worker,
    "/schedules": schedules.schedules,
    "/schedule": schedules.schedule,
    "/flows": flows.flows,
    "/flows/{id}": flows.flow,
    "/locks": locks.locks,
    "/keys": keys.keys,
}
ACTIONS: Final[Mapping[str, Action]] = {
    "/bulk": bulk.count,
    "/bulk/{job}/act": bulk.act,
    "/bulk/{job}/stop": bulk.stop,
    "/tasks/{id}/retry": task.retry,
    "/tasks/{id}/cancel": task.cancel,
    "/queues/pause": queues.pause,
    "/queues/resume": queues.resume,
    "/workers/{node}/drain": workers.drain,
    "/schedules/pause": schedules.pause,
    "/schedules/resume": schedules.resume,
    "/schedules/run-now": schedules.run_now,
    "/flows/{id}/cancel": flows.cancel,
    "/flows/{id}/retry": flows.retry,
    "/locks/break": locks.take_away,
    "/keys/{id}/revoke": keys.revoke,
}


class Place(NamedTuple):
    """An entry of the navigation. ``key``: what is pressed after g. ``role``: whose keys may see it; None: all."""

    path: str
    title: str
    key: str
    role: Role | None = None


NAVIGATION: Final[Sequence[Place]] = (
    Place("/", "Overview", "o"),
    Place("/tasks", "Tasks", "t"),
    Place("/failures", "Failures", "x"),
    Place("/queues", "Queues", "q"),
    Place("/workers", "Workers", "w"),
    Place("/schedules", "Schedules", "s"),
    Place("/flows", "Flows", "f"),
    Place("/locks", "Locks", "l"),
    Place("/keys", "Keys", "k", Role.ADMIN),
)
