"""What callers may ask of strikes, and what they are answered."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument

from ..conftest import Bench
from ..in_lanes import A, submit

STRIKES = "get_strikes"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("arg.=x",), "a strike does not know 'arg.'"),
        (("colour=red",), "a strike does not know 'colour'; it can be on queue, task, tenant, limit.NAME"),
        (("task=m:f", "", 0), "seconds=0 is out of range"),
        (("task=m:f", "", True), "seconds must be a number"),
        (("task=m:f", 5), "reason must be text"),
        (("",), "queue, task, tenant, limit.NAME, arg.NAME or tag.NAME is missing"),
    ],
)
def test_a_strike_that_cannot_be_is_refused_with_what_can(bench: Bench, given: Any, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        bench.client(role=Role.ADMIN).call(STRIKES, "add", *given)


def test_a_key_of_some_queues_makes_no_strike_and_sees_none(bench: Bench) -> None:
    admin = bench.client(("q",), Role.ADMIN)
    for method, args in (("add", ["queue=q"]), ("remove", [1]), ("list", [])):
        with pytest.raises(Forbidden, match="a key of all queues, or pause those"):
            admin.call(STRIKES, method, *args)


def test_a_strike_says_what_it_holds_who_made_it_and_until_when(bench: Bench) -> None:
    submit(bench, A, 3)
    admin = bench.client(role=Role.ADMIN)
    admin.call(STRIKES, "add", "tenant=a", "too many", 60.0)
    bench.advance(10)
    [row] = admin.call(STRIKES, "list")
    since, until = row.pop("since"), row.pop("until")
    assert until - since == 60
    assert row == {
        "strike": 1,
        "condition": "tenant=a",
        "reason": "too many",
        "key": "admin",
        "lanes": 1,
        "waiting": 3,
        "comparing": False,
    }


def test_one_that_is_not_there_is_answered_with_the_one_that_is_meant(bench: Bench) -> None:
    admin = bench.client(role=Role.ADMIN)
    admin.call(STRIKES, "add", "tenant=acme")
    with pytest.raises(InvalidArgument, match="no strike 7; `tq strike ls`"):
        admin.call(STRIKES, "remove", 7)
    with pytest.raises(InvalidArgument, match="no strike 'tenant=acm'; did you mean 'tenant=acme'"):
        admin.call(STRIKES, "remove", "tenant=acm")
