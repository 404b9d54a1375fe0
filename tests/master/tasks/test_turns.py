"""Tenants take turns."""

from __future__ import annotations

from collections import Counter

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import Role, StateNumber
from tq.master.tasks.route import READY, RUNNING, LaneKey
from tq.master.tasks.routes import Routes
from tq.master.tasks.turns import TenantTurns, shares

from ..conftest import Bench
from ..in_lanes import DISPATCHER, A, B, submit
from ..in_limits import leased
from ..leased import each

C = LaneKey("c")


def test_with_many_tasks_of_one_tenant_waiting_another_one_is_served_at_once(bench: Bench) -> None:
    many = submit(bench, A, 200)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 3) == many[:3]
    [one] = submit(bench, B)
    assert one in leased(worker, 2)


def test_tenants_get_equal_shares_however_much_each_has_waiting(bench: Bench) -> None:
    owner = dict.fromkeys(submit(bench, A, 90), "a")
    owner |= dict.fromkeys(submit(bench, B, 30), "b")
    owner |= dict.fromkeys(submit(bench, LaneKey(), 30), "")
    worker = bench.worker("m:f", slots=9)
    order = [owner[id] for _ in range(90) for id in leased(worker, 1)]
    assert Counter(order[:90]) == {"a": 30, "b": 30, "": 30}
    assert all(set(order[at : at + 3]) == {"a", "b", ""} for at in range(0, 90, 3))
    together = leased(worker, 40)
    assert {owner[id] for id in together} == {"a"}


@pytest.mark.parametrize("how", ["cancel", "purge", "lend", "expire"])
def test_a_tenant_whose_first_task_is_there_no_longer_stands_by_its_next_one(bench: Bench, how: str) -> None:
    high = {key: submit(bench, key, priority=5, expires=5.0) for key in (A, B)}
    low = {key: submit(bench, key) for key in (A, B)}
    worker, admin = bench.worker("m:f", slots=9), bench.client(role=Role.ADMIN)
    [first] = leased(worker, 1)
    [other] = [key for key in (A, B) if high[key] != [first]]  # looked up, and not leased
    match how:
        case "cancel":
            admin.call("get_tasks", "cancel", high[other])
        case "purge":
            admin.call("get_tasks", "purge", {"states": [int(StateNumber.READY)], "ids": [high[other][0], 1]})
        case "lend":
            call = worker.ask(DISPATCHER, "lend", first, [IdRun(high[other][0], 1).to_wire()], 1)
            bench.step()
            assert [id for id, *_ in each(worker.answer(call)[1])] == high[other]
        case "expire":
            bench.advance(6)
    assert sorted(leased(worker, 1) + leased(worker, 1)) == sorted(low[A] + low[B])


def test_an_answer_of_many_tasks_is_shared_by_those_that_have_some(bench: Bench) -> None:
    owner = dict.fromkeys(submit(bench, A, 60), "a") | dict.fromkeys(submit(bench, B, 60), "b")
    given = leased(bench.worker("m:f", slots=9), 20)
    assert Counter(owner[id] for id in given) == {"a": 10, "b": 10}


def test_what_is_left_over_in_an_answer_goes_round(bench: Bench) -> None:
    owner = dict.fromkeys(submit(bench, A, 60), "a")
    owner |= dict.fromkeys(submit(bench, B, 60), "b") | dict.fromkeys(submit(bench, C, 60), "c")
    worker, given = bench.worker("m:f", slots=9), Counter[str]()
    for _ in range(9):
        given.update(owner[id] for id in leased(worker, 4))  # one of three gets two of the four
        assert max(given.values()) - min(given[one] for one in "abc") <= 1


def test_turns_are_taken_within_a_priority_and_not_across(bench: Bench) -> None:
    urgent = submit(bench, A, 4, priority=5)
    later = submit(bench, A, 2), submit(bench, B, 2, priority=1)
    worker = bench.worker("m:f", slots=9)
    assert leased(worker, 9) == urgent
    assert leased(worker, 9) == later[1]
    assert leased(worker, 9) == later[0]


def test_tasks_of_lower_priority_in_the_lane_of_an_urgent_one_do_not_go_with_it(bench: Bench) -> None:
    low, high = submit(bench, A, 5), submit(bench, A, 1, priority=9)
    other = submit(bench, B, 2, priority=3)
    worker = bench.worker("m:f", slots=9)
    assert [leased(worker, 9) for _ in range(3)] == [high, other, low]


def test_no_tenant_waits_longer_than_one_task_of_each_other_tenant(bench: Bench) -> None:
    worker = bench.worker("m:f", slots=9)
    for number in range(12):
        submit(bench, LaneKey(f"t{number}"), 20)
    last_served: dict[str, int] = {}
    for turn in range(200):
        [id] = leased(worker, 1)
        routes = bench.engine.part(Routes)
        tenant = routes.by_number[bench.engine.store.find([id])[0].route].key.tenant
        assert turn - last_served.get(tenant, turn - 12) == 12
        last_served[tenant] = turn


def test_a_new_name_is_no_way_to_the_front() -> None:
    turns = TenantTurns()
    a = turns.of("a")
    for number in range(50):
        new = turns.of(f"new{number}")
        assert number or a.last < new.last
        turns.took({a: 1})
        assert a.last < turns.of(f"fresh{number}").last


def test_a_turn_has_as_many_tasks_as_the_weight_says_and_goes_on_where_it_was_left() -> None:
    turns = TenantTurns()
    heavy, light = turns.of("heavy"), turns.of("light")
    heavy.weight, heavy.left = 3, 3
    order = []
    for _ in range(12):
        first = min((heavy, light), key=lambda one: one.last)
        turns.took({first: 1})
        order.append(first.name[0])
    assert "".join(order) == "hhhlhhhlhhhl"


@pytest.mark.parametrize(
    ("want", "expected"), [(1, [1, 0, 0]), (4, [1, 2, 1]), (5, [2, 2, 1]), (12, [3, 6, 3]), (14, [4, 7, 3])]
)
def test_an_answer_is_shared_turn_by_turn(want: int, expected: list[int]) -> None:
    turns = TenantTurns()
    three = [turns.of(name) for name in "abc"]
    three[1].weight = three[1].left = 2
    for one in three:
        one.counts[READY] = 100
    assert shares(three, want) == expected
    assert sum(expected) == want


def test_what_one_cannot_use_others_get() -> None:
    turns = TenantTurns()
    three = [turns.of(name) for name in "abc"]
    for one, ready in zip(three, (2, 100, 100), strict=True):
        one.counts[READY] = ready
    three[1].max_running, three[1].counts[RUNNING] = 5, 2
    assert shares(three, 40) == [2, 3, 35]
    assert shares(three[:2], 40) == [2, 3]
    assert shares(three, 2) == [1, 1, 0]


def test_a_tenant_is_forgotten_with_the_last_of_its_lanes() -> None:
    turns = TenantTurns()
    a = turns.of("a")
    a.lanes += 2
    turns.left(a)
    assert turns.of("a") is a
    turns.left(a)
    assert turns.of("a") is not a
