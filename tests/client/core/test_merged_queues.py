"""A queue that is in every shard, as one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import tq
from tq.client.core import merges
from tq.common.domain.model import State

from .test_merges import Answering, merged

FETCH = "{spread}fetch"


def queue(name: str, **fields: Any) -> dict[str, Any]:
    counts = {**dict.fromkeys(map(str, State), 0), "assigned": 0, "submits_waiting": 0, "items": 0}
    row = {"name": name, "paused": False, "rate": 1.5, "maxsize": 0, "oldest_ready_seconds": None}
    return {**row, **counts, "item_queue": None, **fields}


def test_a_queue_in_every_shard_is_one_row_with_what_it_has_in_all() -> None:
    first = [queue(FETCH, ready=2, maxsize=3, oldest_ready_seconds=1.0), queue("mail", ready=9)]
    second = [queue(FETCH, ready=5, maxsize=2, oldest_ready_seconds=7.0, paused=True, reason="x")]
    rows = merged("queues", [first, second, []])
    assert [row["name"] for row in rows] == ["mail", FETCH]
    row = rows[1]
    assert (row["ready"], row["maxsize"], row["rate"], row["oldest_ready_seconds"]) == (7, 5, 3.0, 7.0)
    assert (row["paused"], row["reason"]) == (True, "x")


def test_each_shard_has_a_part_of_how_many_may_wait() -> None:
    shards = Answering("set", set=[None, None, None, None])
    asyncio.run(merges.MERGES["queue_set"](shards, (FETCH, 10, None, None)))
    assert sum(args[1] for _, _, args in shards.calls) == 10
    assert {args[1] for _, _, args in shards.calls} == {2, 3}
    with pytest.raises(tq.InvalidArgument, match="it takes at least 4"):
        asyncio.run(merges.MERGES["queue_set"](shards, (FETCH, 3)))


@pytest.mark.parametrize("maxsize", [0, None])
def test_what_is_no_number_of_tasks_is_the_same_in_each(maxsize: int | None) -> None:
    shards = Answering("set", set=[None, None])
    asyncio.run(merges.MERGES["queue_set"](shards, (FETCH, maxsize, "lifo")))
    assert [args for _, _, args in shards.calls] == [(FETCH, maxsize, "lifo")] * 2
