"""Lanes that a limit holds back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tq.common.domain.limits import Limit
from tq.common.domain.model import Role
from tq.master.engine import work
from tq.master.tasks import held, lanes
from tq.master.tasks.dispatch import Dispatch
from tq.master.tasks.route import LaneKey
from tq.master.tasks.routes import Routes

from ..conftest import Bench
from ..in_lanes import DISPATCHER, submit
from ..in_limits import PARKED, declare, finish, granted, leased, running, under
from ..leased import each


def test_what_is_held_back_is_out_of_the_way_of_others(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=1))
    for number in range(50):
        submit(bench, under("smtp", tenant=f"t{number}"))
    worker = bench.worker("m:f", slots=9)
    first = leased(worker, 1)
    plain = submit(bench, LaneKey(), 3)
    assert leased(worker, 9) == plain
    routes = bench.engine.part(Routes)
    [capability] = routes.capabilities.values()
    assert not routes.have_work(capability)
    assert running(bench, "smtp") == len(first) == 1


def test_those_that_wait_longest_under_a_limit_start_first_and_urgent_ones_before_them(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=1))
    early = [submit(bench, under("smtp", tenant=f"t{number}"))[0] for number in range(4)]
    worker = bench.worker("m:f", slots=9)
    lease, ids = granted(worker, 9)
    urgent = submit(bench, under("smtp", tenant="t9"), priority=9)
    order = []
    for _ in range(5):
        order += ids
        finish(worker, lease, ids)
        lease, ids = granted(worker, 9)
    assert order == [early[0], *urgent, *early[1:]]


def test_a_limit_that_is_raised_lets_more_start_at_once(bench: Bench) -> None:
    declare(bench, Limit("smtp", max_running=1))
    ids = submit(bench, under("smtp"), 4)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 9) == ids[:1]
    call = worker.ask(DISPATCHER, "lease", 9)
    bench.step()
    bench.client(role=Role.ADMIN).call("get_limits", "set", "smtp", {"max_running": 3})
    assert [one[0] for one in worker.answer(call)[1][0][3]] == ids[1:3]


def test_one_that_waits_behind_many_that_were_cancelled_starts_without_another_call(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "LOOKS_MAX", 5)
    declare(bench, Limit("smtp", max_running=1))
    submit(bench, under("smtp"))
    worker = bench.worker("m:f", slots=9)
    lease, ids = granted(worker, 1)
    gone = [submit(bench, under("smtp", tenant=f"t{number}"))[0] for number in range(12)]
    [last] = submit(bench, under("smtp", tenant="last"), priority=-5)
    assert leased(worker, 1) == []
    bench.client(role=Role.ADMIN).call("get_tasks", "cancel", gone)
    dispatch, steps = bench.engine.part(Dispatch), 0
    finish(worker, lease, ids)
    while PARKED[worker] not in worker.answers:
        assert dispatch.has_more()
        assert steps < 20
        bench.step()
        steps += 1
    assert leased(worker, 1) == [last]
    assert not dispatch.has_more()


def test_to_look_many_lanes_up_is_work_of_several_transactions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "HELD_MAX", 20)
    monkeypatch.setattr(work, "ROWS_MAX", 100)
    declare(bench, Limit("page", max_running=1))
    ids = [submit(bench, under("page", f"p{number}"))[0] for number in range(300)]
    worker, line = bench.worker("m:f", slots=9), bench.engine.part(Routes).lanes
    call, looks = worker.ask(DISPATCHER, "lease", 1), [line.looks]
    while call not in worker.answers:
        bench.step()
        looks.append(line.looks)
    assert [id for id, *_ in each(worker.answer(call)[1])] == ids[:1]
    assert len(looks) > 3
    assert max(later - earlier for earlier, later in pairwise(looks)) <= 120


def test_many_lanes_without_room_are_looked_at_once_and_not_again(bench: Bench) -> None:
    declare(bench, Limit("host", max_running=1))
    worker = bench.worker("m:f", slots=9)
    submit(bench, under("host"))
    assert len(leased(worker, 9)) == 1
    for number in range(300):
        submit(bench, under("host", tenant=f"t{number}"))
    routes = bench.engine.part(Routes)
    held = routes.lanes.held
    looks: list[int] = []
    first_of = held._first_of
    held._first_of = routes.lanes._first_of = lambda number: (
        looks.append(number) or first_of(number)  # type: ignore[func-returns-value]
    )
    for _ in range(20):
        plain = submit(bench, LaneKey(), 2)
        assert leased(worker, 9) == plain
    assert set(looks) <= {
        routes.route("q", "m:f").number
    }  # beside tenants, the tasks without one are looked at, too


def test_when_another_lane_took_the_token_those_that_wait_get_the_next_one(bench: Bench) -> None:
    """The moment of a token comes while no worker waits, and a lane that is not held back takes it."""
    declare(bench, Limit("mail", rate="60/min", burst=1))
    waiting = submit(bench, under("mail", tenant="a"), 2)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 1) == waiting[:1]
    late = bench.worker("m:f", slots=9)
    assert leased(late, 1) == []
    late.close()
    PARKED.pop(late)
    bench.advance(2.0)
    [urgent] = submit(bench, under("mail", tenant="b"), priority=9)
    assert leased(worker, 1) == [urgent]
    assert leased(worker, 1) == []
    bench.advance(2.0)
    assert leased(worker, 1) == waiting[1:]


def test_a_task_of_many_units_is_not_passed_over_without_end_and_costs_no_loop(bench: Bench) -> None:
    declare(bench, Limit("memory", max_running=4))
    worker = bench.worker("m:f", slots=9)
    small = submit(bench, under("memory"), 4)
    lease, ids = granted(worker, 9)
    [large] = submit(bench, under("memory", units=4, tenant="a"))
    later = submit(bench, under("memory", tenant="b"), 4)
    assert leased(worker, 9) == []
    for id in small[:3]:
        finish(worker, lease, [id])
        assert not bench.engine.has_work
        assert running(bench, "memory") <= 4
    finish(worker, lease, small[3:])
    assert leased(worker, 9) == [large]
    assert running(bench, "memory") == 1
    assert later
    assert ids == small
