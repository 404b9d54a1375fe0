"""What has a place in line."""

from __future__ import annotations

from tq.common.domain.limits import Limit
from tq.master.tasks.route import LaneKey

from ..conftest import Bench
from ..in_lanes import submit
from ..in_limits import declare, granted, leased, under


def test_what_runs_what_is_to_run_later_and_what_a_limit_holds_back_has_no_place(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=1))
    client = bench.client()
    worker = bench.worker("m:f", slots=1)
    first, held = submit(bench, under("smtp"), 2)
    assert leased(worker, 1) == [first]
    [later] = submit(bench, LaneKey(), delay=600.0)
    for id in (first, held, later):
        answer = client.call("get_tasks", "why", id)
        assert (answer["position"], answer["eta"]) == (None, None)


def test_a_worker_that_drains_gives_no_place(bench: Bench) -> None:
    worker = bench.worker("m:f", slots=1)
    submit(bench, LaneKey())
    granted(worker, 1)
    [id] = submit(bench, LaneKey())
    assert bench.client().call("get_tasks", "why", id)["position"] == {"ahead": 0, "exact": True}
    worker.close()
    assert bench.client().call("get_tasks", "why", id)["position"] is None
