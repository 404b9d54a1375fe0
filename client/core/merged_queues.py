"""How what several shards have of a queue that is spread becomes one. See ``merges.py``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from ...common.domain.limit_parts import part_of
from ...common.domain.model import StateNumber
from ...common.domain.shards import Shard
from ...common.errors import InvalidArgument
from .merged_rows import Row, one_of_each
from .pages import Shards

SUMS: Final = (*map(str, StateNumber), "assigned", "rate", "maxsize", "submits_waiting", "items")


def queues(answers: Sequence[list[Row]], args: Sequence[Any]) -> list[Row]:
    """A queue that is spread is one row, with what it has in all shards."""
    return sorted(
        one_of_each(chain.from_iterable(answers), "name", _one_queue), key=lambda row: row["name"] or ""
    )


def _one_queue(one: Row, other: Row) -> Row:
    oldest = [row["oldest_ready_seconds"] for row in (one, other) if row["oldest_ready_seconds"] is not None]
    paused = other if other["paused"] and not one["paused"] else one
    return {
        **paused,
        **{name: one[name] + other[name] for name in SUMS if name in one and name in other},
        "oldest_ready_seconds": max(oldest, default=None),
        "item_queue": one["item_queue"] if one["item_queue"] is not None else other["item_queue"],
    }


async def queue_set(shards: Shards, args: Sequence[Any]) -> Any:
    """Of a queue that is spread, each shard has a part of how many tasks may wait."""
    name, maxsize, *rest = (*args, None) if len(args) == 1 else args
    by_shard = dict.fromkeys(shards.numbers, args)
    if type(maxsize) is int and maxsize > 0:
        count = len(shards.numbers)
        if maxsize < count:
            raise InvalidArgument(
                f"queue {name!r} is in every one of {count:,} shards, and each has a part of maxsize: it takes at least {count:,}"
            )
        for shard in shards.numbers:
            by_shard[shard] = (name, part_of(maxsize, name, Shard(shard, count)), *rest)
    answers = await shards.ask(by_shard)
    return answers[min(answers)]
