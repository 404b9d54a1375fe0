"""In which shard a schedule is made, and where one is found."""

from __future__ import annotations

import asyncio

import pytest
import tq
from tq.client.core.merged_schedules import found_by_name, schedule_added
from tq.common.domain.shards import shard_of_name

from .test_merges import UNKNOWN, Answering


def test_a_schedule_is_made_in_its_shard_if_its_name_is_free_everywhere() -> None:
    queue = {"queue": next(name for name in "abcdefgh" if shard_of_name(name, 2) == 1)}
    shards = Answering("add", add=[None, {"name": "n"}], show=[UNKNOWN, UNKNOWN])
    assert asyncio.run(schedule_added(shards, ("n", queue))) == {"name": "n"}
    taken = Answering("add", add=[None, {"name": "n"}], show=[{"queue": "q0"}, UNKNOWN])
    with pytest.raises(tq.InvalidArgument, match="already, in queue q0 of shard 0; choose another name"):
        asyncio.run(schedule_added(taken, ("n", queue)))
    away = Answering("add", add=[None, {}], show=[tq.Unreachable("away"), UNKNOWN])
    with pytest.raises(tq.Unreachable):
        asyncio.run(schedule_added(away, ("n", queue)))


def test_a_schedule_is_found_where_it_is_and_does_not_move_to_another_shard() -> None:
    shards = Answering("pause", pause=[None, "done"], show=[UNKNOWN, {"queue": "q1"}])
    assert asyncio.run(found_by_name(shards, ("n",))) == "done"
    shards = Answering("edit", edit=[None, "done"], show=[tq.Unreachable("away"), {"queue": "q1"}])
    assert asyncio.run(found_by_name(shards, ("n", {"cron": "* * * * *"}))) == "done"
    with pytest.raises(tq.InvalidArgument, match="in another shard than the schedule n; remove the schedule"):
        asyncio.run(found_by_name(shards, ("n", {"queue": "q0"})))
    assert asyncio.run(found_by_name(shards, ("n", {"queue": "{spread}q"}))) == "done"


def test_of_a_schedule_that_code_has_moved_to_another_shard_the_live_one_is_meant_and_the_orphan_is_removed_first() -> (
    None
):
    orphan, live = {"queue": "q0", "orphaned": 5.0}, {"queue": "q1", "orphaned": None}
    for method, answer in (("pause", "live"), ("show", live), ("remove", "orphan")):
        shards = Answering(
            method,
            **{"show": [orphan, live], method: [orphan, live] if method == "show" else ["orphan", "live"]},
        )
        assert asyncio.run(found_by_name(shards, ("n",))) == answer
    alone = Answering("remove", remove=["orphan", None], show=[orphan, UNKNOWN])
    assert asyncio.run(found_by_name(alone, ("n",))) == "orphan"


def test_one_that_may_be_in_a_shard_that_is_away_is_not_said_to_be_nowhere() -> None:
    shards = Answering("pause", pause=[None, None], show=[UNKNOWN, tq.Unreachable("away")])
    with pytest.raises(tq.Unreachable):
        asyncio.run(found_by_name(shards, ("n",)))
