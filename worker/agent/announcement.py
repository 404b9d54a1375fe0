"""How a worker describes itself when it connects: see ``announce`` in docs/protocol.md."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...common.contract.signatures import DESCRIBED_MAX, SIGNATURES_BYTES_MAX
from ...common.domain.probe import PROBE
from ...common.errors import ConfigError
from ...common.runtime.config import WorkerSettings
from ...common.version import VERSION
from .sharing import Share


def announcement(
    settings: WorkerSettings, tasks: Iterable[str], shares: Sequence[Share], slots: int
) -> dict[str, Any]:
    """``shares``: of each pool. ``slots``: how many tasks run at a time; later numbers are in the heartbeats."""
    resources = settings.resources
    most = sum(pool.slots_most for pool in settings.all_pools)
    described: dict[str, Any] = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "slots": slots,
        "lent": most * settings.lent_children,
        "labels": settings.labels,
        # No older master knows it.
        **({"resources": {name: own.amount for name, own in resources.items()}} if resources else {}),
        "tasks": sorted([*tasks, PROBE]),
        "queues": served_queues(settings) or None,
        "allow": list(settings.allow),
        "apply": applied_queues(settings),
        "version": VERSION,
    }
    if len(shares) > 1:
        described["pools"] = [share.to_wire() for share in shares]
    return described


def portions(signatures: Sequence[list[Any]]) -> Iterator[list[list[Any]]]:
    """What tasks are called with, as much as a master takes."""
    left, portion = SIGNATURES_BYTES_MAX, list[list[Any]]()
    for name, body in signatures:
        left -= len(body)
        if left < 0:
            break
        portion.append([name, body])
        if len(portion) == DESCRIBED_MAX:
            yield portion
            portion = []
    if portion:
        yield portion


def served_queues(settings: WorkerSettings) -> list[str]:
    """Patterns of the queues that some pool serves; none: all."""
    pools = settings.all_pools
    if all(pool.queues for pool in pools):
        return list(dict.fromkeys(queue for pool in pools for queue in pool.queues))
    if not settings.queues:
        return []
    return list(dict.fromkeys([*settings.queues, *(queue for pool in pools for queue in pool.queues)]))


def applied_queues(settings: WorkerSettings) -> list[list[str | None]]:
    """The queues whose items this worker takes, as the master expects them. Raises ConfigError when they are not named."""
    if settings.apply is None:
        return []
    if not settings.queues or any(set(name) & set("*?[") for name in settings.queues):
        raise ConfigError("--apply needs the queues by their full names: --queue jobs, without * ? [")
    return [[queue, settings.apply.function, settings.apply.results] for queue in settings.queues]
