"""How the calls of a child name the shard that they go to. The worker reads it: see ``worker/supervisor/relays.py``.

::

    [name, …]                   shard 0
    ["at_shard", K, name, …]    shard K: calls of Apps
    ["of_task", id, name, …]    the shard of this task: what the child itself asks for its job
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

AT_SHARD: Final = "at_shard"
OF_TASK: Final = "of_task"
SHARDS: Final = "shards"  # a method of the slot: how many shards there are


def at_shard(shard: int, target: Sequence[Any]) -> Sequence[Any]:
    return (AT_SHARD, shard, *target) if shard else target


def of_task(id: bytes | None, target: Sequence[Any]) -> Sequence[Any]:
    """``id`` None: no task runs."""
    return target if id is None else (OF_TASK, id, *target)
