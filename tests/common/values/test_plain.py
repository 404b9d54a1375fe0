"""Plain and small values take a short way, with the same result or refusal, whatever the value or the bytes are."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import DecodeError, NotSerializable
from tq.common.values import codec
from tq.common.values.codec import decode, decode_work, encode, encode_call, encode_chunk
from tq.common.values.depth import DEPTH_MAX
from tq.common.values.extension_types import GLANCED_MAX
from tq.common.values.hashing import ALIKE_MAX
from tq.common.values.plain import PLAIN_DEPTH_MAX, SMALL_BYTES_MAX, is_plain
from tq.common.values.wants import NO_OPTIONS, met

from ...fuzz.mutation import damage, hostile_msgpack
from ...properties import examples
from .test_codec import Thing, ext, same, values

PACKED = [(1, 2), [], {}, {"a": [1, {"b": None}]}, [1.5] * 40, "x" * 300, dict.fromkeys(range(70), 0)]

surrogates = st.text(st.characters(categories=["Cs"]), min_size=1, max_size=2)
wrong = (
    surrogates | st.builds(Thing, st.integers()) | st.binary().map(bytearray) | st.integers(min_value=2**63)
)
atoms = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
plain = st.recursive(
    atoms,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.binary(), inner),
    max_leaves=12,
)
anything = values | plain | st.lists(plain | wrong) | st.dictionaries(st.text() | surrogates, plain | wrong)


@contextmanager
def the_whole_way() -> Iterator[None]:
    """Nothing is plain, and nothing is small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "ATOMS", frozenset())
        patch.setattr(codec, "is_plain", lambda value: False)
        patch.setattr(codec, "are_atoms", lambda values: False)
        patch.setattr(codec, "SMALL_BYTES_MAX", -1)
        yield


def answer(call: Callable[[], Any]) -> tuple[Any, str]:
    """What it returns, or else its refusal, word by word."""
    try:
        return call(), ""
    except (DecodeError, NotSerializable) as error:
        return None, f"{type(error).__name__}: {error}"


def both_ways(call: Callable[[], Any]) -> tuple[tuple[Any, str], tuple[Any, str]]:
    short = answer(call)
    with the_whole_way():
        return short, answer(call)


@examples(200)
@given(anything)
def test_a_value_has_the_same_bytes_or_refusal_on_either_way(value: Any) -> None:
    short, whole = both_ways(lambda: encode(value))
    assert short == whole


@examples(100)
@given(st.lists(anything, max_size=3), st.dictionaries(st.text() | surrogates, anything, max_size=2))
def test_a_call_has_the_same_bytes_or_refusal_on_either_way(args: list[Any], kwargs: dict[str, Any]) -> None:
    short, whole = both_ways(lambda: encode_call(tuple(args), kwargs, ["first"]))
    assert short == whole


@examples(50)
@given(st.lists(anything, max_size=4), st.booleans())
def test_the_items_of_a_chunk_are_the_same_on_either_way(items: list[Any], star: bool) -> None:
    items = [(item,) for item in items] if star else items
    short, whole = both_ways(lambda: encode_chunk(items, star=star, first=3))
    assert short[1] == whole[1]
    if not short[1]:
        (got, _, style), (wanted, _, _) = map(decode_work, (short[0], whole[0]))
        if style == "starmap":  # an item is spread out there, so it may be a list as well as a tuple
            got, wanted = list(map(list, got)), list(map(list, wanted))
        assert same_with_nan(got, wanted)


def same_with_nan(left: Any, right: Any) -> bool:
    return same(left, right) or repr(left) == repr(right)


def read_alike(data: bytes | memoryview) -> None:
    for read in (decode, decode_work):
        short, whole = both_ways(lambda read=read: read(data))  # type: ignore[misc]
        assert short[1] == whole[1], bytes(data)
        assert same_with_nan(short[0], whole[0]), bytes(data)
        assert met.reading is NO_OPTIONS


@examples(200)
@given(st.binary(max_size=SMALL_BYTES_MAX + 20))
def test_random_bytes_are_read_alike_on_either_way(data: bytes) -> None:
    read_alike(data)
    read_alike(memoryview(data))


@examples(200)
@given(anything, st.randoms(use_true_random=False))
def test_damaged_bytes_are_read_alike_on_either_way(value: Any, chance: random.Random) -> None:
    data, refused = answer(lambda: encode_call((value,), {"key": 1}))
    if not refused:
        read_alike(data)
        read_alike(damage(data, chance)[: SMALL_BYTES_MAX * 2])
    read_alike(hostile_msgpack(chance))


def test_what_is_no_buffer_is_refused_alike() -> None:
    for data in (None, 7, "text", [1, 2], memoryview(bytes(16)).cast("I"), memoryview(bytes(8))[::2]):
        short, whole = both_ways(lambda data=data: decode(data))  # type: ignore[misc]
        assert short == whole
        assert short[1].startswith("DecodeError: these bytes are not a value")


@pytest.mark.parametrize("size", [SMALL_BYTES_MAX - 1, SMALL_BYTES_MAX, SMALL_BYTES_MAX + 1])
def test_a_small_value_can_be_no_map_that_takes_a_second_look(size: int) -> None:
    keys = (size - 3) // 2  # a header of three bytes, then a byte each for key and value
    data = msgpack.packb(dict.fromkeys(range(keys), 0))
    assert keys <= GLANCED_MAX
    read_alike(data + b"\x00" * (size - len(data)))  # what follows a value is refused
    read_alike(
        b"\xd9" + bytes([size - 2]) + b"x" * (size - 2) if size < 257 else b"\xda\x00\xfe" + b"x" * 254
    )


@pytest.mark.parametrize(
    "depth", [PLAIN_DEPTH_MAX - 1, PLAIN_DEPTH_MAX, PLAIN_DEPTH_MAX + 1, DEPTH_MAX, DEPTH_MAX + 1]
)
def test_a_deep_list_or_dict_is_packed_or_refused_alike(depth: int) -> None:
    as_lists: Any = 1
    as_dicts: Any = 1
    for _ in range(depth):
        as_lists, as_dicts = [as_lists], {"in": as_dicts}
    for value in (as_lists, as_dicts):
        short, whole = both_ways(lambda value=value: encode(value))  # type: ignore[misc]
        assert short == whole
        assert bool(short[1]) == (depth > DEPTH_MAX)
        assert is_plain(value) == (depth <= PLAIN_DEPTH_MAX + 1)


def test_a_list_that_contains_itself_a_thousand_times_is_looked_at_once() -> None:
    loop: list[Any] = []
    loop += [loop] * 1_000
    assert not is_plain(loop)


@pytest.mark.parametrize(
    "key", [None, True, 1.5, (1,), 2**64, -(2**63) - 1, "\ud800", datetime.date(2026, 1, 1)]
)
def test_a_dict_of_other_keys_than_text_bytes_and_small_ints_takes_the_whole_way(key: Any) -> None:
    short, whole = both_ways(lambda: encode([{"plain": 1, key: 2}]))
    assert short == whole


@pytest.mark.parametrize("count", [ALIKE_MAX - 1, ALIKE_MAX, ALIKE_MAX + 1])
def test_a_dict_whose_hashes_a_sender_can_choose_is_judged(count: int) -> None:
    modulus = 2**61 - 1
    alike = {number * modulus: 0 for number in range(3)}  # of one hash
    assert is_plain({**alike, **dict.fromkeys(range(1, count - 2), 0)}) == (count <= ALIKE_MAX)
    assert is_plain(dict.fromkeys(map(str, range(count)), 0))


def test_an_option_is_of_the_value_it_was_given_for_and_of_none_within() -> None:
    """A small value may be decoded while another one is, with other options."""
    tuples = ext(1, msgpack.packb([1, 2]))
    outer = met.reading = codec.Reading()
    try:
        assert decode(tuples) == (1, 2)
        assert met.reading is outer
        with pytest.raises(DecodeError):
            decode(ext(77, b""))
        assert met.reading is outer
    finally:
        del met.reading


def test_nothing_is_kept_from_one_small_value_to_the_next() -> None:
    assert decode(encode(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))) is not None
    decode(ext(5, msgpack.packb([2026, 1, 1, 0, 0, 0, 0, 0, "Europe/Berlin"])))
    assert not vars(NO_OPTIONS)
    with pytest.raises(AttributeError, match="zones would be of all values in all threads"):
        NO_OPTIONS.zones = {}


@pytest.mark.parametrize("value", PACKED, ids=range(len(PACKED)))
def test_what_takes_the_short_way_comes_back(value: Any) -> None:
    assert same(decode(encode(value)), value)
    assert same(decode_work(encode_call((value,), {"name": value})), ([value], {"name": value}, None))
