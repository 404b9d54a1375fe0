"""``tq.Coalesce``: what may be written, and how it travels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import tq
from tq.common.domain.coalesce import check_coalesce, coalesce_from_wire
from tq.common.errors import InvalidArgument


def test_it_travels_as_calls_and_milliseconds() -> None:
    given = tq.Coalesce(100, seconds=0.5)
    assert given.to_wire() == [100, 500]
    assert coalesce_from_wire([100, 500]) == given == tq.Coalesce(100, timedelta(milliseconds=500))
    assert tq.Coalesce(2).seconds == 0.1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ((1,), "calls is a whole number from 2 to 1,000, not 1; write tq.Coalesce(100, seconds=0.5)"),
        ((1_001,), "not 1001"),
        (("5",), "not '5'"),
        ((5, -1), "seconds=-1 is out of range"),
        ((5, 61), "seconds=61 is out of range"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: tuple[Any, ...], why: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        tq.Coalesce(*given)
    assert why in str(refused.value)


@pytest.mark.parametrize("given", [None, [], [5], [5, 5, 5], [True, 5], ["5", 5], [5, 0.5], [1, 5]])
def test_what_came_is_judged(given: Any) -> None:
    with pytest.raises(InvalidArgument):
        coalesce_from_wire(given)


def test_a_number_is_none() -> None:
    with pytest.raises(
        InvalidArgument,
        match=r"coalesce=100 is not a tq.Coalesce; write coalesce=tq.Coalesce\(100, seconds=0.5\)",
    ):
        check_coalesce(100)
