"""How what two shards say of a limit becomes one row. Pure."""

from __future__ import annotations

import math

from ...common.domain.limits import CHANGEABLE, rate_of
from .merged_rows import Row


def one_limit(one: Row, other: Row) -> Row:
    """The same programs declare a limit in several shards. Each shard has it as it was declared there, which after a deployment may be
    another number: the largest bounds what runs in all."""
    row: Row = {name: max(one[name], other[name]) for name in ("programs", "differing")}
    if any(one[name] != other[name] for name in CHANGEABLE):
        row |= {
            "uneven": True,
            **{name: _largest(one[name], other[name]) for name in ("max_running", "burst")},
        }
        row["rate"] = max(one["rate"], other["rate"], key=_tasks_of_a_ms)
    return row


def _largest(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _tasks_of_a_ms(rate: str | None) -> float:
    if rate is None:
        return math.inf
    tasks, ms = rate_of(rate)
    return tasks / ms
