"""Queues that are paused for a time."""

from __future__ import annotations

import pytest
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument
from tq.master.tasks.route import LaneKey

from ..conftest import Bench
from ..in_lanes import submit
from ..in_limits import leased
from .test_explain import why

QUEUE = "get_task_queue/q"


def test_a_queue_goes_on_by_itself_when_the_time_of_its_pause_is_over_also_after_a_restart(
    bench: Bench,
) -> None:
    admin = bench.client(role=Role.ADMIN)
    ids = submit(bench, LaneKey())
    admin.call(QUEUE, "pause", "the server moves", 60.0)
    bench.advance(20)
    said = "queue q is paused (the server moves), by key admin, for 20.0 s now and 40.0 s more; `tq resume q` lets it run"
    assert why(admin, ids[0]) == said
    assert not admin.call("get_tasks", "why", ids[0])["stuck"], "it ends by itself"
    after = Bench(bench.engine.store, now=bench.now)  # type: ignore[arg-type]
    worker = after.worker("m:f", slots=9)
    assert leased(worker, 9) == []
    after.advance(39)
    assert leased(worker, 9) == []
    after.advance(2)
    assert leased(worker, 9) == ids
    assert ("queue.resumed", {"level": "info", "queue": "q"}) in after.reports


def test_a_pause_that_is_renewed_without_a_time_ends_by_a_persons_word(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    admin.call(QUEUE, "pause", "", 60.0)
    admin.call(QUEUE, "pause", "")
    bench.advance(120)
    [row] = admin.call("get_queues", "list")
    assert (row["paused"], row["until"], row["paused_by"]) == (True, None, "admin")
    admin.call(QUEUE, "resume")
    [row] = admin.call("get_queues", "list")
    assert (row["paused"], row["paused_by"]) == (False, "")


def test_a_pause_for_no_time_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidArgument, match="seconds=0 is out of range"):
        bench.client(role=Role.ADMIN).call(QUEUE, "pause", "", 0)


def test_a_queue_that_was_resumed_meanwhile_is_not_resumed_again(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    admin.call(QUEUE, "pause", "", 60.0)
    admin.call(QUEUE, "resume")
    admin.call(QUEUE, "pause", "again")
    bench.advance(120)
    assert admin.call("get_queues", "list")[0]["paused"]
    assert not [action for action, _ in bench.reports if action == "queue.resumed"]
