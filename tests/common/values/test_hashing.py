"""Dicts and sets of keys whose hashes their sender chose: what is refused, what is not, and what it costs."""

from __future__ import annotations

import decimal
import time
import uuid
from itertools import islice, product
from typing import Any

import msgpack
import pytest
from tq.common.errors import DecodeError, NotSerializable
from tq.common.values.codec import WORK_MAX, decode, encode
from tq.common.values.extension_types import GLANCED_MAX, PAIRS, SET, TUPLE
from tq.common.values.hashing import ALIKE_MAX, CHOSEN_MAX
from tq.common.values.unmade import Unmade

from .alike import alike
from .chained import chained

pytestmark = pytest.mark.usefixtures("frozen")  # processor time is bounded here


def packed(value: Any) -> bytes:
    return bytes(msgpack.packb(value))


def ext(code: int, body: Any) -> msgpack.ExtType:
    return msgpack.ExtType(code, packed(body))


def sent_by_hand(keys: list[Any]) -> list[bytes]:
    """A map, a dict of pairs and a set, as a peer that is not tq could send them."""
    pairs = [part for key in keys for part in (key, None)]
    return [packed(dict.fromkeys(keys)), packed(ext(PAIRS, pairs)), packed(ext(SET, keys))]


def test_keys_and_members_of_one_hash_are_refused_on_both_sides_and_few_of_them_are_not() -> None:
    """A set of 100,000 of them would take minutes to make."""
    few, many = (list(islice(alike(), count)) for count in (ALIKE_MAX, ALIKE_MAX + 1))
    for value in (set(few), frozenset(few), dict.fromkeys(few), [set(few), set(few)]):
        assert decode(encode(value)) == value
    for value in (set(many), frozenset(many), dict.fromkeys(many)):
        with pytest.raises(NotSerializable, match=r"value\[1\]: more than 64 keys or members of one hash"):
            encode([0, value])
    members = [ext(TUPLE, pair) for pair in many]
    pairs = [part for member in members for part in (member, None)]
    for data in (packed(ext(SET, members)), packed([ext(PAIRS, pairs)])):
        with pytest.raises(DecodeError, match="of one hash"):
            decode(data)


def test_a_chain_of_integers_is_made_in_a_fraction_of_a_second_or_refused() -> None:
    """None of them shares its hash with another; 60,000 take five seconds, and the time grows with the square."""
    keys = chained(14, 5_400, 4_600)
    assert len(set(map(hash, keys))) == len(keys) == CHOSEN_MAX
    for data in sent_by_hand(keys):
        began = time.thread_time()
        decode(data)
        assert time.thread_time() - began < 1
    for data in sent_by_hand([*keys, -1]):
        began = time.thread_time()
        with pytest.raises(
            DecodeError, match="more than 10,000 keys or members that are neither text nor bytes"
        ):
            decode(data)
        assert time.thread_time() - began < 1
    with pytest.raises(NotSerializable, match=r"value\.x: more than 10,000 keys or members .* send a list"):
        encode({"x": dict.fromkeys([*keys, -1])})


def test_text_and_bytes_are_not_counted() -> None:
    for value in (
        {f"key {number}": number for number in range(100_000)},
        {b"%d" % number for number in range(100_000)},
        {**{f"key {number}": number for number in range(50_000)}, **dict.fromkeys(range(CHOSEN_MAX))},
    ):
        assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "keys",
    [
        range(CHOSEN_MAX),
        [number << 44 for number in range(CHOSEN_MAX)],
        [-number for number in range(CHOSEN_MAX)],
        [number / 1024 for number in range(CHOSEN_MAX)],
        [uuid.UUID(int=number << 64 | 7) for number in range(CHOSEN_MAX)],
        [decimal.Decimal(number) / 100 for number in range(CHOSEN_MAX)],
        list(product(range(-10, 11), repeat=3)),
        list(product((-1, -2), repeat=6)),
    ],
    ids=["numbers", "powers of two", "negative", "fractions", "ids", "prices", "grid", "alike by chance"],
)
def test_what_honest_programs_have_is_not_refused(keys: Any) -> None:
    for value in (dict.fromkeys(keys, 1), set(keys), [frozenset(keys)]):
        assert decode(encode(value)) == value


def test_all_such_dicts_of_a_value_have_a_bound_for_who_makes_them_while_others_wait() -> None:
    half = dict.fromkeys(range(CHOSEN_MAX // 2))
    assert decode(encode([half] * 4), work_max=WORK_MAX) == [half] * 4
    with pytest.raises(DecodeError, match="too many large dicts and sets"):
        decode(encode([half] * 5), work_max=WORK_MAX)
    assert len(decode(encode([dict.fromkeys(range(ALIKE_MAX))] * 9_000), work_max=WORK_MAX)) == 9_000


def test_who_passes_values_on_makes_no_large_dicts_of_them_and_gives_out_what_came() -> None:
    value = [
        {"small": {1, 2}, "names": {f"key {number}" for number in range(1_000)}},
        {(number, 1): "x" for number in range(ALIKE_MAX + 1)},
        set(range(GLANCED_MAX + 1)),
        {number: number for number in range(GLANCED_MAX + 1)},
        frozenset((number, "x") for number in range(ALIKE_MAX + 1)),
    ]
    kept = decode(encode(value), unmade=True)
    assert [type(one) for one in kept] == [dict, Unmade, Unmade, Unmade, Unmade]
    assert kept[0] == value[0]
    assert [one.made() for one in kept[1:]] == value[1:]
    assert [eval(repr(one)) for one in kept[1:]] == value[1:]  # noqa: S307 - what was written just now
    assert decode(encode(kept, judged=True)) == decode(encode(kept)) == value


def test_what_is_not_made_is_equal_when_its_content_is_and_only_a_frozenset_is_a_key() -> None:
    numbers = list(range(100))
    one, same, other = (
        decode(packed(ext(SET, members)), unmade=True)
        for members in (numbers, numbers[::-1], [*numbers[1:], 100])
    )
    assert (one == same, one == other, one == set(numbers)) == (True, False, False)
    first, second = (
        decode(encode(dict(pairs)), unmade=True)
        for pairs in (
            list(zip(numbers, numbers, strict=True)),
            list(zip(numbers, numbers, strict=True))[::-1],
        )
    )
    assert first == second
    with pytest.raises(TypeError, match="unhashable type: 'set'"):
        hash(one)
    frozen, as_well = (decode(encode(frozenset(numbers)), unmade=True) for _ in range(2))
    assert {frozen: 1} == {as_well: 1}


def test_who_passes_values_on_judges_them_once_when_they_come() -> None:
    many = packed(ext(SET, [ext(TUPLE, pair) for pair in islice(alike(), ALIKE_MAX + 1)]))
    with pytest.raises(DecodeError, match="of one hash"):
        decode(many, unmade=True)
    assert len(decode(many, unmade=True, judged=True)) == ALIKE_MAX + 1


def test_nesting_does_not_multiply_what_reading_twice_costs() -> None:
    """A large map anywhere means that the value is read once more: all of it once, not each level once for each above."""
    value: Any = dict.fromkeys(f"key {number}" for number in range(GLANCED_MAX + 1))
    for _ in range(40):
        value = ({1, 2}, value)
    began = time.thread_time()
    assert decode(encode(value)) == value
    assert time.thread_time() - began < 1
