"""What a limit may say, and how it travels."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain import limits
from tq.common.domain.limits import Limit, LimitRate, check_limits, limit_from_wire, rate_of
from tq.common.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "rate", "burst"),
    [
        ("100/min", LimitRate(100, 60_000), 1),
        ("5/s", LimitRate(5, 1_000), 1),
        ("5000/s", LimitRate(5_000, 1_000), 500),
        ("1/h", LimitRate(1, 3_600_000), 1),
        ("1000000/d", LimitRate(1_000_000, 86_400_000), 1),
    ],
)
def test_a_rate_is_a_number_in_a_unit_of_time(text: str, rate: LimitRate, burst: int) -> None:
    assert rate_of(text) == rate
    assert Limit("x", rate=text).most_together == rate.burst == burst
    assert Limit("x", rate=text, burst=7).most_together == 7


@pytest.mark.parametrize(
    "text", ["0/s", "5", "5/m", "5 / s", "1.5/s", "-1/s", "1000001/s", "5/min ", "٣/s", "", 5, None, "5/sec"]
)
def test_what_is_no_rate_is_refused_with_the_line_to_write(text: Any) -> None:
    with pytest.raises(InvalidArgument, match="rate='100/min', one of /s, /min, /h, /d"):
        rate_of(text)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "says nothing; write tq.Limit('smtp', max_running=3)"),
        ({"max_running": 0}, "not 0; to let nothing run, pause the queue: tq pause QUEUE"),
        ({"max_running": -1}, "a whole number from 1"),
        ({"max_running": True}, "not True"),
        ({"max_running": 1.0}, "not 1.0"),
        ({"max_running": 1_000_001}, "from 1 to 1,000,000"),
        ({"rate": "5/s", "burst": 0}, "burst is a whole number from 1"),
        ({"max_running": 1, "burst": 5}, "burst=5 takes a rate; write rate='100/min' too"),
        ({"max_running": 1, "by": "{a.b}"}, "names no parameter"),
        ({"max_running": 1, "by": "all"}, "has no parameter"),
        ({"max_running": 1, "units": 0}, "units is a whole number from 1"),
        ({"max_running": 4, "units": 5}, "raise max_running or burst to 5"),
        ({"rate": "100/min", "units": 2}, "no more than 1 may ever be used at once"),
    ],
)
def test_a_limit_that_means_nothing_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        Limit("smtp", **given)
    assert why in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", 5, "x" * 300])
def test_a_limit_has_a_name(name: Any) -> None:
    with pytest.raises(InvalidArgument, match="limit name"):
        Limit(name, max_running=1)


def test_the_text_of_a_rate_is_read_once_and_what_is_refused_is_not_kept() -> None:
    limit = Limit("x", rate="4711/h")
    kept, read = limits._read_rate.cache_info().currsize, limits._read_rate.cache_info().misses
    assert limit.tokens == Limit("y", rate="4711/h").tokens == LimitRate(4711, 3_600_000)
    assert limits._read_rate.cache_info().misses == read
    for _ in range(2):
        with pytest.raises(InvalidArgument):
            rate_of("4711/" + "h" * 100_000)
    assert limits._read_rate.cache_info().currsize == kept


def test_what_is_shared_under_the_name_travels() -> None:
    limit = Limit("smtp", max_running=3, rate="100/min", burst=10, by="{domain}", units=2)
    wire = {"name": "smtp", "max_running": 3, "rate": "100/min", "burst": 10}
    assert limit.to_wire() == wire
    assert limit_from_wire(wire) == limit.terms()
    assert Limit("a", max_running=1).to_wire() == {"name": "a", "max_running": 1}


@pytest.mark.parametrize(
    "wire", [None, [], {"max_running": 1}, {"name": "a", "max_running": 1, "by": "{x}"}, {"name": "a", 5: 1}]
)
def test_what_is_no_limit_on_the_wire_is_refused(wire: Any) -> None:
    with pytest.raises(InvalidArgument):
        limit_from_wire(wire)


def test_the_limits_of_a_task_are_a_list_without_repetition() -> None:
    one, other = Limit("a", max_running=1), Limit("b", rate="1/s")
    assert check_limits([one, other]) == (one, other)
    assert check_limits([]) == ()
    for wrong, why in (
        (one, r"limits=\[tq.Limit"),
        ("a", "write a list"),
        ([one, "b"], "write each as tq.Limit"),
        ([one, Limit("a", rate="1/s")], "'a' twice"),
        ([Limit(str(number), max_running=1) for number in range(9)], "a task may have 8, not 9"),
    ):
        with pytest.raises(InvalidArgument, match=why):
            check_limits(wrong)
