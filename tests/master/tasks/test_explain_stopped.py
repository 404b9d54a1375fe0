"""Why an operator holds a task back, in one sentence."""

from __future__ import annotations

from tq.common.domain.model import Role
from tq.master.tasks.route import LaneKey

from ..conftest import Bench
from ..in_lanes import A, submit
from .test_explain import why


def test_a_strike_is_named_with_its_reason_who_made_it_and_what_ends_it(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    [id], [other] = submit(bench, A), submit(bench, LaneKey())
    admin.call("get_strikes", "add", "task='m:*' tenant=a", "they block us", 3600.0)
    bench.advance(300)
    assert why(admin, id) == (
        "strike 1 on task='m:*' and tenant=a holds it back: they block us, by key admin, for 5 min now and 55 min more; "
        "`tq strike rm 1` lets it run"
    )
    assert "strike" not in why(admin, other)


def test_a_task_is_stuck_only_if_no_strike_ends_by_itself(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    bench.worker("m:f")
    bench.client()
    admin.call("get_strikes", "add", "task=m:f", "", 60.0)
    [id] = submit(bench, LaneKey())
    assert not admin.call("get_tasks", "why", id)["stuck"]
    admin.call("get_strikes", "add", "queue=q")
    assert admin.call("get_tasks", "why", id)["stuck"]
    assert "; besides, strike 2 on queue=q" in why(admin, id)


def test_a_task_that_is_to_run_later_says_that_it_will_be_held_back(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    admin.call("get_strikes", "add", "queue=q")
    [id] = submit(bench, LaneKey(), delay=600.0)
    assert "as its submit requested; besides, strike 1 on queue=q holds it back" in why(admin, id)
