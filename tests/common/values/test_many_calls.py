"""Many calls decoded in one pass: the same as each by itself, or none of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import DecodeError
from tq.common.values.codec import decode_work, encode_call, encode_chunk
from tq.common.values.many_calls import SEPARATOR_BYTES, ManyCalls

SECRET = bytes(range(SEPARATOR_BYTES))
many = ManyCalls(SECRET)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
calls = st.tuples(st.lists(plain, max_size=3), st.dictionaries(st.text(max_size=4), plain, max_size=2))


def alone(payload: bytes) -> Any:
    try:
        return decode_work(payload)
    except DecodeError:
        return None


@given(st.lists(calls, min_size=2, max_size=8))
def test_calls_are_what_each_is_by_itself(values: list[tuple[list[Any], dict[str, Any]]]) -> None:
    payloads = [encode_call(tuple(args), kwargs) for args, kwargs in values]
    decoded = many.decode(payloads)
    if decoded is None:
        assert max(map(len, payloads)) > 256
    else:
        assert [tuple(one) for one in decoded] == [decode_work(payload)[:2] for payload in payloads]


@given(st.lists(st.binary(max_size=12) | st.just(encode_call((1,), {})), min_size=2, max_size=5))
def test_bytes_that_are_no_calls_are_never_taken_for_other_calls(payloads: list[bytes]) -> None:
    decoded = many.decode(payloads)
    if decoded is not None:
        assert [(*one, None) for one in decoded] == [alone(payload) for payload in payloads]


@pytest.mark.parametrize(
    "swallows",
    [
        b"\x92\x91\xc4\x1c",  # bytes, as long as a separator and the next call
        b"\x94\x90\x80",  # a list of four, two of which are here
        b"\x92\x91",  # a list whose element is the separator
        b"",
    ],
)
@pytest.mark.parametrize("makes_up_for_it", [b"", encode_call((), {}) + b"\xc0", encode_call((), {}) * 2])
def test_no_payload_reaches_into_its_neighbour(swallows: bytes, makes_up_for_it: bytes) -> None:
    call = encode_call(("innocent",), {})
    assert many.decode([swallows, call, call + makes_up_for_it]) is None
    assert many.decode([call, swallows, makes_up_for_it or call]) is None


def test_what_is_not_small_plain_or_a_single_call_is_left_to_the_whole_way() -> None:
    call = encode_call((1,), {})
    for other in (
        encode_call((b"x" * 300,), {}),
        encode_call(((1, 2),), {}),  # a tuple is an extension type
        encode_call((2**70,), {}),
        encode_chunk([1, 2], star=False),
        b"\x92\x90\x81\x01\x02",  # a name that is no text
        b"\x92" + b"\x91" * 80 + b"\x90" + b"\x80",  # too deep
        b"\x80",
    ):
        assert many.decode([call, other]) is None
    assert many.decode([call]) is None
    assert many.decode([]) is None


def test_every_call_has_objects_of_its_own() -> None:
    one, other = many.decode([encode_call(([],), {})] * 2) or ()
    one[0][0].append(1)
    assert other[0][0] == []
