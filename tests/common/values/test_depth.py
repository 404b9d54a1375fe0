"""One number says how deep values nest, by any sender and wherever they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from tq.common.errors import DecodeError, NotSerializable
from tq.common.values.batches import decode_plain_values
from tq.common.values.codec import decode, decode_call, decode_work, encode, encode_call, encode_chunk
from tq.common.values.depth import COUNTED_BYTES_MAX, DEPTH_MAX, check_depth, is_deeper
from tq.common.values.extension_types import PAIRS, SET, TUPLE
from tq.master.gateway.item_reader import read_item

FILLING = [
    "",
    "a" * 300,
    "a" * COUNTED_BYTES_MAX,
    "ü" * 300,
]  # the ways to the answer differ by the size and by the bytes


def _ext(code: int, *parts: Any) -> Any:
    return msgpack.ExtType(code, msgpack.packb(list(parts)))


SHAPES: dict[str, Callable[[Any], Any]] = {
    "list": lambda inner: [inner],
    "dict": lambda inner: {"k": inner},
    "tuple": lambda inner: _ext(TUPLE, inner),
    "set": lambda inner: _ext(SET, _ext(TUPLE, inner)),
    "key of a dict": lambda inner: _ext(PAIRS, _ext(TUPLE, inner), 1),
    "rows": lambda inner: [1, inner, "text"],
}
LEVELS = {"set": 2, "key of a dict": 2}
HASHED = {"set", "key of a dict"}


def nested(shape: str, depth: int, filling: str = "") -> Any:
    """As a foreign program may pack it: so many containers in one another, and text."""
    value: Any = filling
    if depth % LEVELS.get(shape, 1):
        value, depth = _ext(TUPLE, value), depth - 1
    if shape in HASHED:  # what is in a set or a key can be hashed: such a one is outermost only
        for _ in range(depth - LEVELS[shape]):
            value = _ext(TUPLE, value)
        return SHAPES[shape](value)
    for _ in range(depth):
        value = SHAPES[shape](value)
    return value


@pytest.mark.parametrize("filling", FILLING, ids=len)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_value_of_any_sender_is_read_up_to_the_limit_and_not_beyond(shape: str, filling: str) -> None:
    decode(msgpack.packb(nested(shape, DEPTH_MAX, filling)))
    for depth in (DEPTH_MAX + 1, DEPTH_MAX + 2, 300):
        with pytest.raises(DecodeError, match=f"deeper than {DEPTH_MAX}|recursion"):
            decode(msgpack.packb(nested(shape, depth, filling)))


@pytest.mark.parametrize("depth", [DEPTH_MAX + 1, 300, 1_000])
def test_what_msgpack_would_read_is_refused(depth: int) -> None:
    data = b"\x91" * depth + b"\x01"
    for as_is in (False, True):
        with pytest.raises(DecodeError):
            decode(data, as_is=as_is)


@pytest.mark.parametrize("filling", FILLING, ids=len)
def test_arguments_nest_as_deep_as_values_and_the_lists_around_them_do_not_count(filling: str) -> None:
    for read in (decode_call, decode_work):
        read(msgpack.packb([[1, nested("list", DEPTH_MAX, filling)], {"k": nested("dict", DEPTH_MAX)}]))
        for args, kwargs in (
            ([nested("list", DEPTH_MAX + 1, filling)], {}),
            ([], {"k": nested("dict", DEPTH_MAX + 1, filling)}),
        ):
            with pytest.raises(DecodeError, match="deeper"):
                read(msgpack.packb([args, kwargs]))
    decode_work(msgpack.packb([[nested("list", DEPTH_MAX, filling)], {}, "map"]))
    with pytest.raises(DecodeError, match="deeper"):
        decode_work(msgpack.packb([[nested("list", DEPTH_MAX + 1, filling)], {}, "map"]))


def test_what_is_packed_here_can_be_read_and_the_rest_is_refused_here() -> None:
    def lists(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = [value]
        return value

    value, deeper = lists(DEPTH_MAX), lists(DEPTH_MAX + 1)
    assert decode(encode(value)) == value
    assert decode_call(encode_call((value,), {"k": value})) == ([value], {"k": value})
    assert decode_work(encode_chunk([value], star=False))[0] == [value]
    assert decode_work(encode_chunk([value[0]], star=True))[0] == [value[0]]
    for pack in (
        lambda: encode(deeper),
        lambda: encode_call((deeper,), {}),
        lambda: encode_call((), {"k": deeper}),
        lambda: encode_chunk([deeper], star=False),
    ):
        with pytest.raises(NotSerializable, match="deeper"):
            pack()


def test_many_results_at_once_are_read_one_by_one_when_one_of_them_is_too_deep() -> None:
    fine, deep = msgpack.packb(nested("list", DEPTH_MAX)), msgpack.packb(nested("list", DEPTH_MAX + 1))
    assert decode_plain_values([fine, fine]) is not None
    assert decode_plain_values([fine, deep, fine]) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_clients_of_the_standard_library_are_given_nothing_deeper(shape: str) -> None:
    read_item(msgpack.packb(nested(shape, DEPTH_MAX)))
    with pytest.raises(DecodeError, match="deeper"):
        read_item(msgpack.packb(nested(shape, DEPTH_MAX + 1)))


def test_a_large_value_comes_back_from_the_lists_that_it_was_read_in() -> None:
    for value in ([*range(20_000)], {str(number): [number, {}] for number in range(5_000)}, "x" * 50_000):
        assert decode(encode(value)) == value


def test_few_bytes_that_could_begin_a_container_are_not_looked_at() -> None:
    """Not what they were read as, that is."""

    class Unread(list[Any]):
        def __iter__(self) -> Any:
            raise AssertionError("it was looked at")

    check_depth(Unread([1]), b"text" * 100)


def test_it_counts_what_is_in_one_another_and_not_what_is_beside() -> None:
    assert not is_deeper(2, [[[1], {"k": 1}, (), [2, 3]]] * 100)
    assert is_deeper(1, [1, [[]]])
    assert not is_deeper(0, [1, "text", None])
    assert is_deeper(0, [()])
