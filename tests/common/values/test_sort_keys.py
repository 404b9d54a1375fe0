"""Ranks sort as Python compares."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import DecodeError, InvalidArgument
from tq.common.values.sort_keys import comparable, rank

NUMBERS = (
    st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.integers(-5, 5).map(float)
)
VALUES = st.recursive(
    NUMBERS | st.text(max_size=5) | st.binary(max_size=5),
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


@pytest.mark.parametrize("value", [None, {}, {1}, object(), 1j])
def test_what_has_no_order_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no order here"):
        rank(value)


def test_nan_endless_nesting_and_huge_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="nan has no order"):
        rank(float("nan"))
    nested: Any = 1
    for _ in range(50):
        nested = (nested,)
    with pytest.raises(TypeError, match="too deep"):
        rank(nested)
    with pytest.raises(InvalidArgument, match=r"put \(priority, item\)"):
        rank("x" * 2_000)


def test_kinds_that_do_not_compare_are_named() -> None:
    assert comparable(rank((1, "a")), rank((1, 2))) == ("text", "a number")
    assert comparable(rank((1, "a")), rank((2, 2))) is None


@given(st.binary(max_size=40))
def test_bytes_that_are_no_rank_are_refused_and_never_crash(data: bytes) -> None:
    try:
        comparable(data, rank(1))
    except DecodeError:
        return
    assert comparable(data, data) is None
