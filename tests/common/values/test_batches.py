"""Many small plain values at once are what they are one by one."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.values.batches import decode_plain_values, encode_plain_calls
from tq.common.values.codec import decode, encode, encode_call
from tq.common.values.plain import SMALL_BYTES_MAX

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.binary()
    | st.text(st.characters(exclude_categories=["Cs"]))
)
PLAIN = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
)


class Text(str):
    """Of a class of the user's."""


@given(st.lists(st.lists(ATOMS, max_size=4).map(tuple), max_size=20))
def test_payloads_of_plain_calls_are_those_of_single_ones(calls: list[tuple[Any, ...]]) -> None:
    assert encode_plain_calls(calls) == [encode_call(call, {}) for call in calls]


@pytest.mark.parametrize(
    "other", [[1], {"a": 1}, (1,), 2**64, "\udcff", date(2026, 1, 1), Text("x"), object()]
)
def test_calls_with_anything_else_are_left_to_the_way_of_single_ones(other: object) -> None:
    assert encode_plain_calls([(1,), ("a", other), (2,)]) is None


def test_large_plain_arguments_are_encoded_and_their_buffer_is_not_kept() -> None:
    calls = [(b"x" * 1_000_000,), (1,)]
    assert encode_plain_calls(calls) == [encode_call(call, {}) for call in calls]


@given(st.lists(PLAIN, min_size=1, max_size=20))
def test_values_of_small_bodies_are_those_of_single_ones(values: list[Any]) -> None:
    bodies = [encode(value) for value in values]
    decoded = decode_plain_values(bodies)
    if max(map(len, bodies)) <= SMALL_BYTES_MAX:
        assert decoded == [decode(body) for body in bodies] == values
    else:
        assert decoded is None


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"\xc1",
        b"\x01\x01",
        encode(date(2026, 1, 1)),
        encode((1,)),
        encode(b"x" * SMALL_BYTES_MAX),
    ],
)
def test_bodies_with_anything_else_among_them_are_left_to_be_decoded_one_by_one(body: bytes | None) -> None:
    assert decode_plain_values([encode(1), body, encode(2)]) is None
