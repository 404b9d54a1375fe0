"""In which shard tasks are, and what cannot be in another."""

from __future__ import annotations

from typing import Any, cast

import pytest
import tq
from tq.client.core.session import ClientSession
from tq.client.tasks.home import ONE_SHARD, check_together, home_of
from tq.client.tasks.options import choose
from tq.common.domain.ids import new_ids
from tq.common.domain.shards import id_in, shard_of_name

SHARDS = 4
HERE, THERE = "q1", next(f"q{n}" for n in range(9) if shard_of_name(f"q{n}", 4) != shard_of_name("q1", 4))


class Session:
    def __init__(self, shards: int) -> None:
        self.shards = self.known_shards = shards


def session(shards: int = SHARDS) -> ClientSession:
    return cast(ClientSession, Session(shards))


class OpenFlow:
    def __init__(self, queue: str) -> None:
        self.flow_id = id_in(new_ids(), shard_of_name(queue, SHARDS))


def test_tasks_are_in_the_shard_of_their_queue_and_with_one_shard_nothing_is_compared() -> None:
    assert home_of(session(), choose({"queue": HERE})) == shard_of_name(HERE, SHARDS)
    assert home_of(session(1), choose({"queue": HERE})) == ONE_SHARD


def test_a_task_of_another_shard_than_its_flow_is_refused_with_the_line_to_write() -> None:
    flow = cast(Any, OpenFlow(HERE))
    assert home_of(session(), choose({"queue": HERE})._replace(flow=flow)) == shard_of_name(HERE, SHARDS)
    with pytest.raises(
        tq.InvalidArgument, match=r"open the flow with one of them: app.flow\(…, queue='\{tag\}q"
    ):
        home_of(session(), choose({"queue": THERE})._replace(flow=flow))


def test_a_handler_of_failures_in_another_shard_is_refused_with_names_that_are_together() -> None:
    handler = tq.App().named("m:g", queue=THERE)
    with pytest.raises(
        tq.InvalidArgument, match=rf"one tag in their names, as \{{tag\}}{HERE} and \{{tag\}}{THERE}"
    ):
        home_of(session(), choose({"queue": HERE, "on_failure": handler}))


@pytest.mark.parametrize(
    ("one", "other"), [("{shop}fetch", "b"), ("a", "{shop}fetch"), ("{shop}a", "{mail}b")]
)
def test_a_tag_that_one_of_them_has_is_the_one_that_is_named_for_both(one: str, other: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=r"as \{shop\}\w+ and \{shop\}\w+"):
        check_together(one, other, 4096, "its callback")


def test_queues_with_one_tag_are_together() -> None:
    check_together("{shop}fetch", "{shop}store", SHARDS, "its callback")
