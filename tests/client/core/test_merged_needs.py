"""What a task needs and what needs it, in the words of several shards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import tq
from tq.client.core import merges
from tq.common.domain.ids import new_ids
from tq.common.domain.shards import id_in

from .test_merges import Answering


def related(shards: Answering, *args: Any) -> Any:
    return asyncio.run(merges.MERGES["related"](shards, args))


def said(**fields: Any) -> dict[str, Any]:
    return {"needs": [], "needed_by": [], "became": [], "became_it": [], **fields}


def test_a_task_that_is_alone_in_its_shard_asks_no_other_one() -> None:
    id = id_in(new_ids(), 1)
    shards = Answering("of", of=[None, said(needs=["own"]), None])
    assert related(shards, id) == said(needs=["own"])
    assert shards.calls == [("of", 1, (id,))]


def test_what_it_needs_and_what_needs_it_elsewhere_is_said_by_those_shards() -> None:
    id, there = id_in(new_ids(), 1), id_in(new_ids(), 2)
    elsewhere = {"needs": [[there, 3]], "needed_in": [0]}
    shards = Answering(
        "of",
        of=[None, said(needs=["own"], elsewhere=elsewhere), None],
        rows=[None, None, ["theirs"]],
        needed_by=[["needs it"], None, None],
    )
    assert related(shards, id) == said(needs=["own", "theirs"], needed_by=["needs it"])
    assert shards.calls[1:] == [("rows", 2, ([[there, 3]],)), ("needed_by", 0, (id,))]


def test_what_is_no_id_is_refused_by_the_first_shard_and_one_of_another_cluster_here() -> None:
    shards = Answering("of", of=[tq.InvalidArgument("no id"), None])
    with pytest.raises(tq.InvalidArgument, match="no id"):
        related(shards, "x")
    with pytest.raises(tq.UnknownTask, match="a task of another cluster"):
        related(shards, id_in(new_ids(), 9))
