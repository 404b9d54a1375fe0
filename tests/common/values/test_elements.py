"""Messages are measured before they are decoded: how many values they would become."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import DecodeError, ProtocolError
from tq.common.values.codec import decode, encode
from tq.common.values.elements import EXT_STEPS, MESSAGE_ELEMENTS_MAX, NESTING, check_elements, effort, weight
from tq.common.wire.frames import Kind
from tq.common.wire.protocol import Answerer

from ...properties import examples


def plain(ext_types: st.SearchStrategy[int]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False)
        | st.text(max_size=40)
        | st.binary(max_size=300)
        | st.just("x" * 70_000)
        | st.builds(msgpack.ExtType, ext_types, st.binary(max_size=20)),
        lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=4), inner, max_size=20),
        max_leaves=30,
    )


PLAIN = plain(st.integers(0, 127))
WITHOUT_VALUES_IN_EXTS = plain(st.integers(0, 127).filter(lambda kind: kind not in NESTING))


def elements(value: Any) -> int:
    if isinstance(value, list):
        return 1 + sum(map(elements, value))
    if isinstance(value, dict):
        return 1 + sum(elements(key) + elements(one) for key, one in value.items())
    return 1


@examples(30)
@given(value=st.lists(PLAIN, min_size=1))
def test_a_message_is_refused_for_one_element_too_many_and_not_before(value: list[Any]) -> None:
    body, count = msgpack.packb(value), elements(value)
    check_elements(body, count)
    if len(body) > count - 1:
        with pytest.raises(ProtocolError, match=f"more than {count - 1:,} values"):
            check_elements(body, count - 1)


@given(body=st.binary(max_size=200))
def test_bytes_that_are_no_message_are_left_to_the_decoder_or_refused(body: bytes) -> None:
    try:
        check_elements(body, 10)
    except ProtocolError as error:
        assert "more than 10 values" in str(error)  # noqa: PT017 - nothing else may be raised


@pytest.mark.parametrize(
    "small", [b"\x90", b"\x80", b"\x07", b"\xa0", b"\xa2ab", b"\x91\xc0", b"\xcd\x01\x01"]
)
def test_a_message_of_very_many_small_values_is_refused_before_it_is_decoded(small: bytes) -> None:
    run = b"\xdc\xff\xff" + small * 65_535
    body = b"\x95\x01\x91\xaaget_master\xa4info\x91\xdc\x00\x0a" + run * 10 + b"\x80"
    with pytest.raises(ProtocolError, match=f"more than {MESSAGE_ELEMENTS_MAX:,} values"):
        Answerer().understand(Kind.CALL, memoryview(body))


def test_the_longest_honest_messages_pass() -> None:
    """A full submit, and a hundred thousand leases announced again."""
    submit = [
        1,
        ["get_task_queue", "q"],
        "submit",
        ["m:f", {}, [[b"i" * 16, b"p" * 1_000]] * 10_000, "s"],
        {},
    ]
    announce = [1, ["get_dispatcher"], "announce", [{}, [[b"i" * 16, 1, b"l" * 16]] * 100_000], {}]
    for message in (submit, announce):
        body = memoryview(msgpack.packb(message))
        assert len(body) > MESSAGE_ELEMENTS_MAX
        assert Answerer().understand(Kind.CALL, body).args == message[3]  # type: ignore[union-attr]


SHAPES: dict[str, Any] = {
    "empty lists": [[] for _ in range(20_000)],
    "dicts of one": [{"a": n} for n in range(10_000)],
    "short texts": [f"{n % 1_000:03}" for n in range(20_000)],
    "numbers": list(range(70_000, 90_000)),
    "small numbers": [n % 100 for n in range(20_000)],
    "fractions": [n * 1.1 for n in range(20_000)],
    "tuples": [(n, n) for n in range(10_000)],
    "tuples of one": [(n,) for n in range(10_000)],
    "sets": [{n} for n in range(5_000)],
    "frozen sets": [frozenset([n]) for n in range(5_000)],
    "dicts with tuples as keys": [{(n,): n} for n in range(5_000)],
    "bytes": [bytes([n % 256]) * 100 for n in range(5_000)],
    "one large dict": {str(n): n for n in range(20_000)},
    "lists in lists": [[[n]] for n in range(10_000)],
}


@pytest.mark.parametrize("value", SHAPES.values(), ids=SHAPES)
def test_the_weight_of_a_value_is_about_the_memory_that_it_takes(value: Any) -> None:
    data = encode(value)
    measured = []
    for _ in range(3):
        tracemalloc.start()
        decoded = decode(data)
        measured.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert decoded == value
        del decoded  # with its texts, which the next one would share
    taken = min(measured)  # threads that other tests have left behind allocate as well
    assert taken * 0.8 < weight(data) < taken * 2.5


@given(data=st.binary(max_size=200))
def test_bytes_that_are_no_value_have_some_weight(data: bytes) -> None:
    assert weight(data) >= len(data)


@examples(30)
@given(value=st.lists(WITHOUT_VALUES_IN_EXTS, min_size=1))
def test_the_effort_of_a_value_grows_with_its_elements(value: list[Any]) -> None:
    body = msgpack.packb(value)
    found = effort(body)
    assert elements(value) <= found <= elements(value) * EXT_STEPS
    assert effort(body, found - 1) > found - 1


@pytest.mark.parametrize("kind", sorted(NESTING))
def test_what_hides_behind_an_ext_with_more_than_one_value_in_it_is_never_decoded(kind: int) -> None:
    """Its effort is not counted in full, so the decoder has to stop there."""
    hidden = ["x", {"a": 1}] * 20
    with pytest.raises(DecodeError):
        decode(msgpack.packb([msgpack.ExtType(kind, b"\x00" * 20), *hidden]))


def test_the_effort_of_one_exotic_value_is_that_of_many_numbers() -> None:
    assert effort(encode([(1, 2)] * 100)) > effort(encode([1] * 1_000))
