"""Limits of tasks, judged where they are written and evaluated where a task is submitted."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest
import tq
from tq.client.tasks.definition import Definition
from tq.client.tasks.lane_keys import LaneKeys
from tq.client.tasks.options import choose
from tq.common.domain.columns import LaneTexts
from tq.common.domain.expressions import expression
from tq.common.domain.lane_terms import LaneTerms
from tq.common.domain.limits import Limit

from .. import jobs
from ..conftest import MasterInMemory

PER_X = Limit("x", max_running=2, by="{x}")
ALL = Limit("all", rate="100/min", units=1)


def fetch(url: str, *, domain: str = "example.com") -> str:
    return f"{url} {domain}"


def many(*urls: str, **options: str) -> int:
    return len(urls) + len(options)


@pytest.fixture
def task(app: tq.App, master: MasterInMemory) -> Callable[..., Any]:
    def make(function: Callable[..., Any] = jobs.double, **options: Any) -> Any:
        made = app.task(**options)(function)
        master.functions[made.name] = function
        return made

    return make


def keys(master: MasterInMemory, limit: str) -> list[str]:
    """Of the tasks that came, in their order."""
    return [{name: key for name, key, _ in limits}[limit] for _, limits in master.lanes]


def columns(master: MasterInMemory) -> list[Any]:
    """Of the submits, as they travelled; None: a submit has none."""
    submits = [args for _, method, args in master.calls if method == "submit"]
    return [args[8] if len(args) > 8 else None for args in submits]


def test_a_task_without_limits_sends_nothing_of_them(task: Any, master: MasterInMemory) -> None:
    task().submit(1)
    task().map([1, 2])
    assert columns(master) == [None, None]


def test_a_limit_travels_with_each_submit_and_its_key_is_of_the_arguments(
    task: Any, master: MasterInMemory
) -> None:
    limited = task(limits=[PER_X, ALL])
    assert limited.submit(3).result(5) == 6
    limited.submit(x=4, plus=7)
    x, rate = {"name": "x", "max_running": 2}, {"name": "all", "rate": "100/min"}
    assert columns(master) == [
        {"limits": [[x, "3"], [rate, ""]]},
        {"limits": [[x, "4"], [rate, ""]]},
    ]


def test_the_keys_of_a_map_are_one_column(task: Any, master: MasterInMemory) -> None:
    limited = task(limits=[PER_X])
    assert list(limited.map([1, 2, 1, 1]).results()) == [2, 4, 2, 2]
    assert columns(master) == [{"limits": [[{"name": "x", "max_running": 2}, [["1", "2"], [0, 1, 0, 0]]]]}]
    assert keys(master, "x") == ["1", "2", "1", "1"]


def test_a_map_of_any_length_has_the_key_of_each_task(task: Any, master: MasterInMemory) -> None:
    limited = task(limits=[PER_X])
    limited.map(number % 7 for number in range(2_500))
    assert keys(master, "x") == [str(number % 7) for number in range(2_500)]
    master.lanes.clear()
    asyncio.run(limited.amap([5, 6]))
    limited.starmap([(8,), (9,)])
    assert keys(master, "x") == ["5", "6", "8", "9"]


def test_a_call_without_a_key_ends_a_map_after_those_before_it(task: Any, master: MasterInMemory) -> None:
    limited = task(limits=[PER_X])
    with pytest.raises(tq.InvalidArgument, match=r"by='\{x\}': the argument 'x' is \[3\]"):
        limited.map([1, 2, [3], 4])
    limited.submit(9)  # stored after them
    assert keys(master, "x") == ["1", "2", "9"]


def test_single_submits_with_the_same_key_travel_together(
    app: tq.App, task: Any, master: MasterInMemory
) -> None:
    limited = task(limits=[PER_X])
    with app.batch():
        for number in range(10):
            limited.submit(number % 2)
    assert len(columns(master)) == 2
    assert sorted(keys(master, "x")) == ["0"] * 5 + ["1"] * 5


def test_what_the_function_has_as_default_is_a_key(task: Any, master: MasterInMemory) -> None:
    limited = task(fetch, limits=[Limit("d", rate="1/s", by="{domain}")])
    limited.submit("a")
    limited.submit("b", domain="c")
    assert keys(master, "d") == ["example.com", "c"]


def test_using_replaces_limits_and_keeps_what_is_not_given(task: Any, master: MasterInMemory) -> None:
    limited = task(limits=[ALL])
    limited.using(priority=5).submit(1)
    limited.using(limits=[]).submit(1)
    assert columns(master) == [
        {"limits": [[{"name": "all", "rate": "100/min"}, ""]]},
        None,
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"limits": [Limit("x", max_running=1, by="{y}")]}, "double has no parameter 'y' (it has x, plus)"),
        ({"limits": [Limit("x", max_running=1, by="{pluss}")]}, "did you mean {plus}?"),
        ({"limits": ALL}, "limits=[tq.Limit"),
        ({"limits": ["all"]}, "write each as tq.Limit"),
    ],
)
def test_what_cannot_hold_is_refused_where_it_is_written(
    task: Any, options: dict[str, Any], why: str
) -> None:
    for write in (lambda: task(**options), lambda: task().using(**options)):
        with pytest.raises(tq.InvalidArgument) as refused:
            write()
        assert why in str(refused.value)


def test_a_parameter_that_the_worker_fills_in_or_that_collects_arguments_is_no_key(task: Any) -> None:
    for function, name in ((jobs.where, "ctx"), (many, "urls"), (many, "options")):
        with pytest.raises(tq.InvalidArgument, match=f"has no parameter '{name}'"):
            task(function, limits=[Limit("x", max_running=1, by=f"{{{name}}}")])


def test_of_a_task_that_is_known_by_its_name_arguments_are_named(app: tq.App, master: MasterInMemory) -> None:
    master.functions["elsewhere:double"] = jobs.double
    limited = app.named("elsewhere:double", limits=[PER_X])
    limited.submit(x=5)
    assert keys(master, "x") == ["5"]
    with pytest.raises(tq.InvalidArgument, match="no argument 'x'; pass it by name, x="):
        limited.submit(5)


def test_a_chain_and_a_key_have_the_limits_of_their_tasks(task: Any, master: MasterInMemory) -> None:
    limited = task(limits=[PER_X])
    limited.using(key="k").submit(1)
    limited.s(2).submit()
    assert keys(master, "x") == ["1", "2"]
    with pytest.raises(tq.InvalidArgument, match="made of text and numbers"):
        limited.submit(limited.submit(1))


def test_an_executor_has_the_limits_of_tasks_and_its_own(task: Any, master: MasterInMemory) -> None:
    limited = task(limits=[PER_X])
    master.functions["math:sqrt"] = math.sqrt
    with tq.Executor() as executor:
        assert executor.submit(limited, 3).result(5) == 6
        assert list(executor.map(limited, [1, 2, 1])) == [2, 4, 2]
        with pytest.raises(tq.InvalidArgument, match="chunksize=2 makes one task of several calls"):
            executor.map(limited, [1, 2, 1], chunksize=2)
    assert keys(master, "x") == ["3", "1", "2", "1"]
    master.lanes.clear()
    with tq.Executor(limits=[PER_X]) as executor:
        assert executor.submit(jobs.double, 4).result(5) == 8
        with pytest.raises(tq.InvalidArgument, match="has no parameter 'x'"):
            executor.submit(jobs.fail, "no")
    assert master.lanes == [(None, (("x", "4", 1),))]


def test_a_pool_refuses_limits_since_it_makes_one_task_of_many_calls(task: Any) -> None:
    limited = task(limits=[PER_X])
    with pytest.raises(tq.InvalidArgument, match="a Pool makes one task of many calls"):
        tq.Pool(limits=[ALL])
    with tq.Pool(2) as pool, pytest.raises(tq.InvalidArgument, match=r"task.map, or tq.Executor"):
        pool.map(limited, [1, 2])


def test_a_tenant_travels_with_each_submit_and_may_be_left_out_again(
    task: Any, master: MasterInMemory
) -> None:
    owned = task(limits=[ALL], tenant="t{plus}")
    owned.submit(1, plus=7)
    owned.map([1, 2])
    owned.using(tenant="acme", limits=[]).submit(1)
    owned.using(tenant=None).submit(1)
    assert [tenant for tenant, _ in master.lanes] == ["t7", "t0", "t0", "acme", None]
    assert columns(master)[2:] == [
        {"tenant": "acme"},
        {"limits": [[{"name": "all", "rate": "100/min"}, ""]]},
    ]
    for wrong, why in (
        ("{plu}", "did you mean {plus}"),
        ("{x.y}", "names no parameter"),
        ("", "text"),
        (5, "text"),
    ):
        with pytest.raises(tq.InvalidArgument, match=why):
            task(tenant=wrong)


def test_terms_that_depend_on_arguments_are_never_sent_unevaluated() -> None:
    assert choose({"limits": [PER_X]}).columns is None
    assert choose({"limits": [ALL]}).columns is not None
    assert choose({"priority": 1}, choose({"limits": [PER_X]})).columns is None


def test_a_tenant_is_an_expression_as_the_key_of_a_limit_is() -> None:
    terms = LaneTerms((ALL,), expression("tenant", "t{plus}"))
    keys = LaneKeys(terms, Definition(jobs.double, None))
    assert keys.of_call((1,), {"plus": 5}).at(0) == LaneTexts("t5", (("all", "", 1),))
    assert not terms.are_fixed
    assert LaneTerms((), expression("tenant", "acme")).fixed().to_wire() == {"tenant": "acme"}


def test_keys_that_are_remembered_are_those_of_their_call() -> None:
    def pair(x: object, plus: int = 0) -> None: ...

    terms = LaneTerms((PER_X,), expression("tenant", "t{plus}"))
    keys = LaneKeys(terms, Definition(pair, "jobs:pair"))
    for _ in range(2):  # the second time from what was kept
        assert keys.keys((1, 5), {}) == ("1", "t5")
        assert keys.keys((True, 5), {}) == ("True", "t5")  # equal to 1, and another key
        assert keys.keys(("1", 5), {}) == ("1", "t5")
        assert keys.keys((2,), {"plus": 6}) == ("2", "t6")
        assert keys.keys((2,), {}) == ("2", "t0")
