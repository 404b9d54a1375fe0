"""``tq.Unique``: what may be written down, and how it travels."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import tq
from tq.common.domain.model import StateNumber
from tq.common.domain.unique import UniqueTerms, terms_of
from tq.common.errors import InvalidArgument


def test_the_terms_of_a_task_have_its_key_and_travel() -> None:
    terms = terms_of(tq.Unique(by="{order}", period=timedelta(minutes=1)), "4711")
    assert terms == ("4711", 0b1111, 60_000, "return", None)
    assert terms.to_wire() == ["4711", 0b1111, 60_000, "return"]
    fresh = terms_of(tq.Unique(states=["succeeded"], fresh=5), "4711")
    assert fresh.to_wire() == ["4711", 1 << StateNumber.SUCCEEDED, None, "return", 5_000]
    assert all(UniqueTerms.from_wire(one.to_wire()) == one for one in (terms, fresh))
    assert (terms.has(StateNumber.RUNNING), terms.has(StateNumber.SUCCEEDED)) == (True, False)


def test_what_is_replaced_waits() -> None:
    assert tq.Unique(on_conflict="replace").states == tq.Unique.WAITING
    assert terms_of(tq.Unique(states=["SCHEDULED"], on_conflict="replace"), "k").states == 0b10
    assert terms_of(tq.Unique(states=tq.Unique.ANY), "k").has(StateNumber.LOST)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"by": "{order.id}"}, "between braces stands a name alone"),
        ({"by": 7}, "an expression is text"),
        ({"on_conflict": "ignore"}, "use one of return, replace, skip, raise"),
        ({"period": 0}, "period=0 is out of range"),
        ({"period": "1h"}, "period must be a number"),
        ({"states": "ready"}, "write a list"),
        ({"states": ["asleep"]}, "unknown state 'asleep'"),
        ({"states": ["running"], "on_conflict": "replace"}, "running does not wait"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        tq.Unique(**given)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        ["k", 1, None],
        [b"k", 1, None, "return"],
        ["k" * 257, 1, None, "return"],
        ["k", 0, None, "return"],
        ["k", 1 << 16, None, "return"],
        ["k", True, None, "return"],
        ["k", 1, 0, "return"],
        ["k", 1, 1.5, "return"],
        ["k", 1, None, "ignore"],
        ["k", 1, None, "return", 0],
        ["k", 1, None, "return", 5, 5],
    ],
)
def test_terms_from_the_wire_are_judged(given: Any) -> None:
    with pytest.raises(InvalidArgument):
        UniqueTerms.from_wire(given)
