"""What callers may ask of tenants, and what they are answered."""

from __future__ import annotations

import pytest
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument
from tq.master.tasks.route import LaneKey

from ..conftest import Bench
from ..in_lanes import A, B, submit

TENANTS = "get_tenants"


def test_a_key_that_is_bound_to_queues_sees_and_sets_nothing(bench: Bench) -> None:
    for role, method, args in (
        (Role.VIEWER, "list", ()),
        (Role.ADMIN, "set", ("a", {"weight": 2})),
        (Role.ADMIN, "remove", ("a",)),
    ):
        with pytest.raises(Forbidden, match="a key of all queues"):
            bench.client(("q",), role).call(TENANTS, method, *args)


def test_tenants_are_listed_in_portions_and_those_without_a_name_first(bench: Bench) -> None:
    for key in (LaneKey(), A, B):
        submit(bench, key)
    bench.client(role=Role.ADMIN).call(TENANTS, "set", "aa", {"weight": 7})
    viewer = bench.client(role=Role.VIEWER)
    assert [one["name"] for one in viewer.call(TENANTS, "list")] == ["", "a", "aa", "b"]
    assert [one["name"] for one in viewer.call(TENANTS, "list", "a", 1)] == ["aa"]
    assert viewer.call(TENANTS, "list", "", 1)[0]["name"] == "a"
    assert viewer.call(TENANTS, "list", "a", 1)[0]["weight"] == 7
    with pytest.raises(InvalidArgument, match="did you mean 'aa'"):
        bench.client(role=Role.ADMIN).call(TENANTS, "remove", "aaa")
