"""All that keeps a task from starting, for programs."""

from __future__ import annotations

from typing import Any

from tq.common.domain.limits import Limit
from tq.common.domain.model import Role
from tq.master.tasks.route import LaneKey

from ..conftest import Bench
from ..in_lanes import A, B, submit
from ..in_limits import declare, leased, under


def reasons(bench: Bench, id: bytes) -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in bench.client().call("get_tasks", "why", id)["reasons"]}


def test_all_that_holds_it_back_is_named_with_what_ends_each(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    declare(bench, Limit("smtp", max_running=1), Limit("slow", rate="1/min", burst=1))
    worker = bench.worker("m:f", slots=9)
    first, id = submit(bench, LaneKey(limits=(("smtp", "a", 1), ("slow", "", 1))), 2)
    assert leased(worker, 1) == [first]
    admin.call("get_task_queue/q", "pause", "moving", 60.0)
    admin.call("get_strikes", "add", "has limit.smtp", "blocked", None)
    found = bench.client().call("get_tasks", "why", id)["reasons"]
    assert [one["kind"] for one in found] == ["paused", "strike", "limit", "limit"]
    paused, strike, smtp, slow = found
    assert (paused["reason"], paused["key"], paused["remedy"]) == ("moving", "admin", "tq resume q")
    assert paused["until"] - paused["since"] == 60
    assert (strike["strike"], strike["condition"], strike["until"]) == (1, "has limit.smtp", None)
    assert strike["remedy"] == "tq strike rm 1"
    assert (smtp["limit"], smtp["key"], smtp["running"], smtp["max_running"]) == ("smtp", "a", 1, 1)
    assert smtp["remedy"] == "tq limits set smtp --max-running N"
    assert (slow["until"], slow["remedy"]) == (bench.now.wall / 1000 + 60, "tq limits set slow --rate RATE")


def test_one_that_only_waits_for_its_turn_says_how_many_are_before_it(bench: Bench) -> None:
    worker = bench.worker("m:f", slots=1)
    submit(bench, LaneKey())
    leased(worker, 1)
    [id] = submit(bench, LaneKey())
    assert reasons(bench, id) == {
        "line": {
            "kind": "line",
            "ahead": 0,
            "exact": True,
            "remedy": "start more workers, or with more --slots",
        }
    }
    submit(bench, B)
    [mine] = submit(bench, A)
    assert set(reasons(bench, mine)) == {"line", "turns"}


def test_what_no_worker_serves_and_what_is_to_run_later_say_both(bench: Bench) -> None:
    [id] = submit(bench, LaneKey(), delay=600.0)
    found = reasons(bench, id)
    assert found["scheduled"]["until"] == bench.now.wall / 1000 + 600
    assert found["no_worker"]["task"] == "m:f"


def test_what_runs_and_what_has_ended_have_no_reasons(bench: Bench) -> None:
    ids = submit(bench, under("none"), 2)
    bench.client().call("get_tasks", "cancel", [ids[0]])
    assert leased(bench.worker("m:f"), 1) == [ids[1]]
    assert [reasons(bench, id) for id in ids] == [{}, {}]
