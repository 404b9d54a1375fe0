"""How a worker describes itself when it connects: see ``announce`` in docs/protocol.md."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any

from ...common.domain.probe import PROBE
from ...common.errors import ConfigError
from ...common.runtime.config import WorkerSettings
from ...common.version import VERSION


def announcement(settings: WorkerSettings, tasks: Iterable[str]) -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "slots": settings.slots,
        "lent": settings.slots * settings.lent_children,
        "labels": settings.labels,
        "tasks": sorted([*tasks, PROBE]),
        "queues": list(settings.queues) or None,
        "allow": list(settings.allow),
        "apply": applied_queues(settings),
        "version": VERSION,
    }


def applied_queues(settings: WorkerSettings) -> list[list[str | None]]:
    """The queues whose items this worker takes, as the master expects them. Raises ConfigError when they are not named."""
    if settings.apply is None:
        return []
    if not settings.queues or any(set(name) & set("*?[") for name in settings.queues):
        raise ConfigError("--apply needs the queues by their full names: --queue jobs, without * ? [")
    return [[queue, settings.apply.function, settings.apply.results] for queue in settings.queues]
