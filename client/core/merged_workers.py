"""How what several shards know of a worker becomes one row. See ``merges.py``. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from .merged_rows import Row, one_of_each


def workers(answers: Sequence[list[Row]], args: Sequence[Any]) -> list[Row]:
    """A worker is connected to every shard, and each shard knows what it holds of that one."""
    return one_of_each(chain.from_iterable(answers), "node", _one_worker)


def _one_worker(one: Row, other: Row) -> Row:
    here, there = (one, other) if one["connected"] >= other["connected"] else (other, one)
    row = {
        **here,
        "running": min(one["running"] + other["running"], here["slots"]),
        "leased": one["leased"] + other["leased"],
        "rate": one["rate"] + other["rate"],
        "since": min(one["since"], other["since"]),
        "last_seen": max(one["last_seen"], other["last_seen"]),
    }
    if "pools" in here and "pools" in there:
        row["pools"] = _pools_of_both(here["pools"], there["pools"])
    if row["memory_bytes"] is None:
        row["memory_bytes"] = there["memory_bytes"]
    if "resources" in here and "resources" in there:
        row["resources"] = {
            name: [amount, max(0, amount - sum(_held(side, name) for side in (one, other)))]
            for name, (amount, _) in here["resources"].items()
        }
    return row


def _pools_of_both(here: list[Row], there: list[Row]) -> list[Row]:
    """What is busy of each; one that is not connected there says nothing of it."""
    busy = [one["busy"] for one in there] if len(there) == len(here) else [0] * len(here)
    return [
        {**one, "busy": min(one["busy"] + more, one["slots"])} for one, more in zip(here, busy, strict=True)
    ]


def _held(row: Row, name: str) -> int:
    there, free = row["resources"].get(name, (0, 0))
    return there - free  # type: ignore[no-any-return]
