"""What callers may ask of limits, and what they are answered."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument

from .conftest import LIMITS, THREE, Declaring


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "a map of max_running, rate or burst"),
        ({"max_running": 0}, "tq pause QUEUE"),
        ({"rate": "fast"}, "is no rate"),
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
