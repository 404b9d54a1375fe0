"""Ranks sort as Python compares."""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import DecodeError, NotSerializable
from tq.common.values.sort_keys import RANK_BYTES_MAX, comparable, rank

NUMBERS = (
    st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.integers(-5, 5).map(float)
)
ZONES = st.integers(-720, 720).map(lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes)))
TIMES = (
    st.dates()
    | st.datetimes()
    | st.datetimes(timezones=ZONES)
    | st.timedeltas()
    | st.dates(datetime.date(2020, 1, 1), datetime.date(2020, 1, 3))
)
DICTS = st.dictionaries(st.text(max_size=1), st.text(max_size=1), max_size=2).map(
    lambda one: dict(sorted(one.items()))
)
VALUES = st.recursive(
    NUMBERS | st.text(max_size=5) | st.binary(max_size=5) | st.none() | TIMES | DICTS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.lists(inner, max_size=3),
    max_leaves=6,
)


def in_python(one: Any, other: Any) -> int | None:
    """-1, 0 or 1 as Python compares; None when it cannot."""
    try:
        return (one > other) - (one < other)
    except TypeError:
        return None


def compare(one: bytes, other: bytes) -> int:
    return (one > other) - (one < other)


@given(NUMBERS, NUMBERS)
def test_numbers_sort_exactly_whatever_their_kind(one: float, other: float) -> None:
    assert compare(rank(one), rank(other)) == in_python(one, other)


@given(st.text(), st.text())
def test_texts_sort_as_python_sorts_them(one: str, other: str) -> None:
    assert compare(rank(one), rank(other)) == in_python(one, other)


@given(VALUES, VALUES)
def test_whatever_python_can_compare_sorts_alike_and_the_rest_is_refused(one: Any, other: Any) -> None:
    """Inside of tuples, where what is equal needs no order: two times None, the same dict twice."""
    one, other = (one,), (other,)
    expected = in_python(one, other)
    first, second = rank(one), rank(other)
    assert (comparable(first, second) is None) == (expected is not None)
    if expected is not None:
        assert compare(first, second) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [(10**400, 1e308), (2**53 + 1, 2.0**53), (5e-324, 0), (-(10**400), float("-inf")), (True, 0.5)],
)
def test_ints_and_floats_compare_without_loss(one: float, other: float) -> None:
    assert compare(rank(one), rank(other)) == in_python(one, other)


def test_surrogates_and_zeros_have_their_place() -> None:
    texts = ["", "\0", "\0\0", "a", "a\0", "a\0b", "b", "\ud800", "\uffff", "\U0001f600"]
    assert sorted(texts) == sorted(texts, key=rank)


@given(st.decimals(allow_nan=False), st.decimals(allow_nan=False))
def test_decimals_sort_among_themselves(one: Decimal, other: Decimal) -> None:
    assert compare(rank(one), rank(other)) == in_python(one, other)
    assert comparable(rank(one), rank(other)) is None
    assert comparable(rank(one), rank(1)) == ("a Decimal", "a number")


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def test_a_member_of_an_enum_of_numbers_is_its_number() -> None:
    assert rank((Level.LOW, "x")) == rank((1, "x"))
    assert comparable(rank(Colour.RED), rank(Colour.BLUE)) is not None
    assert comparable(rank(Colour.RED), rank(Colour.RED)) is None


class Odd:
    """Cannot be sent."""


def nested(value: object) -> object:
    for _ in range(50):
        value = (value,)
    return value


def test_what_is_nested_very_deep_has_no_order() -> None:
    assert comparable(rank(nested(1)), rank(nested(1))) is None
    assert comparable(rank(nested(1)), rank(nested(2))) == ("a value without an order",) * 2


@pytest.mark.parametrize("value", [{"url": "u"}, {1}, float("nan"), Decimal("NaN"), uuid.UUID(int=1)])
def test_what_has_no_order_stands_behind_what_has_one(value: object) -> None:
    first, later = rank((1, value)), rank((2, "x"))
    assert (first < later, comparable(first, later)) == (True, None)
    assert comparable(first, rank((1, 5))) == ("a value without an order", "a number")
    assert comparable(first, rank((1, value, "more"))) is None  # equal, and shorter
    assert comparable(rank((1, {"another": 1})), first) == ("a value without an order",) * 2
    assert comparable(rank((0, 5)), first) is None


def test_a_member_without_an_order_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(NotSerializable, match="an Odd cannot be sent"):
        rank((1, Odd()))


@pytest.mark.parametrize("long", ["x" * 2_000, b"\0" * 2_000, 3**6_000, -(3**6_000), ["x"] * 2_000])
def test_a_long_rank_is_cut_and_ordered_by_its_beginning(long: Any) -> None:
    cut = rank((1, long))
    assert len(cut) == RANK_BYTES_MAX
    assert rank((0, long)) < rank((1,)) < cut < rank((2, long))
    assert comparable(cut, rank((2, 5))) is None
    assert comparable(cut, cut) is None
    assert comparable(cut, rank((1, {}))) is not None
    assert comparable(cut, rank((1, long, 5))) is None


@given(st.text(max_size=1_100), st.text(max_size=1_100), st.text(min_size=900, max_size=1_100))
def test_texts_that_differ_early_sort_right_however_long_they_are(one: str, other: str, rest: str) -> None:
    one, other = one[:200] + rest, other[:200] + rest
    if one[:250] != other[:250]:
        assert compare(rank((1, one)), rank((1, other))) == in_python(one, other)
        assert comparable(rank((1, one)), rank((1, other))) is None


def test_kinds_that_do_not_compare_are_named() -> None:
    assert comparable(rank((1, "a")), rank((1, 2))) == ("text", "a number")
    assert comparable(rank((1, "a")), rank((2, 2))) is None


@given(st.binary(max_size=40) | st.binary(min_size=1_023, max_size=1_023).map(lambda data: data + b"\xff"))
def test_bytes_that_are_no_rank_are_refused_and_never_crash(data: bytes) -> None:
    try:
        comparable(data, rank(1))
    except DecodeError:
        return
    assert comparable(data, data) is None
