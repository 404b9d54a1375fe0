"""What callers may ask of limits, and what they are answered."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.limits import Limit
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument
from tq.master.limits.limits import NamedLimits

from ..conftest import Bench
from ..in_lanes import submit
from ..in_limits import under
from .conftest import FIVE, LIMITS, THREE, Declaring


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "a map of max_running, rate or burst"),
        ({"max_running": 0}, "tq pause QUEUE"),
        ({"rate": "fast"}, "is not a rate"),
        ({"colour": 5}, "not 'colour'"),
        ({"rate": None, "burst": 5}, "burst=5 takes a rate"),
    ],
)
def test_a_change_that_means_nothing_is_refused_and_changes_nothing(
    declaring: Declaring, changes: dict[str, Any], why: str
) -> None:
    declaring.declare(declaring.bench.client(), THREE)
    with pytest.raises(InvalidArgument) as refused:
        declaring.call("set", "smtp", changes)
    assert why in str(refused.value)
    assert declaring.holds() == THREE


def test_a_mistyped_name_is_answered_with_the_one_that_is_meant(declaring: Declaring) -> None:
    declaring.declare(declaring.bench.client(), THREE)
    for method, args in (("set", ({"max_running": 5},)), ("reset", ()), ("remove", ()), ("show", ())):
        with pytest.raises(InvalidArgument, match="there is no limit 'stmp'; did you mean 'smtp'"):
            declaring.call(method, "stmp", *args)


def test_a_key_of_some_queues_sees_and_changes_nothing_of_other_keys(declaring: Declaring) -> None:
    declaring.declare(declaring.bench.client(), THREE)
    viewer = declaring.bench.client(("q",), Role.VIEWER)
    assert viewer.call(LIMITS, "list") == []
    with pytest.raises(Forbidden, match="a key of all queues"):
        viewer.call(LIMITS, "show", "smtp")
    admin = declaring.bench.client(("q",), Role.ADMIN)
    for method, args in (("set", ({"max_running": 5},)), ("reset", ()), ("remove", ())):
        with pytest.raises(Forbidden, match="the whole cluster's"):
            admin.call(LIMITS, method, "smtp", *args)
    owner = declaring.bench.client(("q",))
    assert [row["name"] for row in owner.call(LIMITS, "list")] == ["smtp"]


def test_a_limit_of_a_task_that_is_to_run_later_is_not_removed(declaring: Declaring) -> None:
    program = declaring.bench.client()
    declaring.declare(program, THREE)
    submit(declaring.bench, under("smtp"), delay=3_600.0)
    program.close()
    with pytest.raises(InvalidArgument, match="tasks that run or wait under it: 1"):
        declaring.call("remove", "smtp")
    assert declaring.holds() == THREE


def test_a_burst_that_was_set_goes_with_the_rate_that_the_code_has_no_more(declaring: Declaring) -> None:
    program = declaring.bench.client()
    declaring.declare(program, THREE)
    declaring.call("set", "smtp", {"burst": 7})
    program.close()
    declaring.declare(declaring.bench.client(), FIVE)
    assert declaring.holds() == FIVE
    after = Bench(declaring.bench.engine.store)  # type: ignore[arg-type]
    assert after.engine.part(NamedLimits).in_force("smtp") == FIVE
    declaring.call("set", "smtp", {"max_running": 6})
    assert declaring.holds() == Limit("smtp", max_running=6)
    declaring.call("set", "smtp", {"rate": "1/s"})
    assert declaring.holds() == Limit("smtp", max_running=6, rate="1/s", burst=7)


def test_a_limit_is_removed_when_no_program_declares_it(declaring: Declaring) -> None:
    program = declaring.bench.client()
    declaring.declare(program, THREE)
    with pytest.raises(
        InvalidArgument, match="programs that declare it: 1; remove it later, or lift it now: tq limits set"
    ):
        declaring.call("remove", "smtp")
    program.close()
    declaring.call("remove", "smtp")
    assert declaring.call("list") == []
    assert declaring.holds() is None
