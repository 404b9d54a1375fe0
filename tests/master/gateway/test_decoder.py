"""What a request may cost that is written to be dear: by hashes, by empty containers, by names that are no names."""

from __future__ import annotations

import itertools
import pickle
import struct

import pytest
from tq.common.errors import DecodeError
from tq.common.values.codec import encode
from tq.common.values.hashing import ALIKE_MAX
from tq.master.gateway.decoder import CONTAINERS_MAX, DEPTH_MAX, KEYED_MAX, loads
from tq.master.gateway.handshake import FRAME_BYTES_MAX

from ...common.values.alike import alike


def a_frame(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


def pairs(count: int, after: bytes = b"") -> bytes:
    """So many of them as a pickle has them."""
    return b"".join(
        struct.pack("<ciccqc", b"J", first, b"\x8a", b"\x08", second, b"\x86") + after
        for first, second in itertools.islice(alike(), count)
    )


def test_the_pairs_of_this_test_have_one_hash() -> None:
    assert len({hash(pair) for pair in itertools.islice(alike(), 100)}) == 1


@pytest.mark.parametrize(("before", "after"), [(b"\x8f(", b"\x90"), (b"(", b"\x91")])
def test_members_that_were_made_to_have_one_hash_are_not_compared_with_each_other(
    before: bytes, after: bytes
) -> None:
    as_many = set(itertools.islice(alike(), ALIKE_MAX))
    assert loads(a_frame(before + pairs(ALIKE_MAX) + after)) == as_many
    with pytest.raises(DecodeError, match="made to have one hash"):
        loads(a_frame(before + pairs(ALIKE_MAX + 1) + after))


def test_keys_that_come_one_by_one_are_counted_together() -> None:
    with pytest.raises(DecodeError, match="made to have one hash"):
        loads(a_frame(b"}" + pairs(ALIKE_MAX + 1, after=b"Ns")))


def test_many_sets_may_have_the_same_member() -> None:
    many = range(4 * ALIKE_MAX)
    honest = [[{(0, number % 2)} for number in many], [frozenset({("a", number % 2)}) for number in many]]
    assert loads(pickle.dumps(honest, 4)) == honest
    grid = {(x, y, z) for x in range(-9, 9) for y in range(-9, 9) for z in range(-9, 9)}
    assert loads(pickle.dumps(grid, 5)) == grid


@pytest.mark.parametrize("unit", [b")", b"]", b"}", b"\x8f", b"(\x91", b"N\x85"])
def test_containers_are_counted(unit: bytes) -> None:
    with pytest.raises(DecodeError, match="more than 50,000 lists, tuples, dicts and sets"):
        loads(a_frame(b"](" + unit * (CONTAINERS_MAX + 1) + b"e"))


def test_as_many_pairs_as_a_frame_has_room_for_are_no_attack() -> None:
    points = [(number % 100, number // 100 % 256) for number in range(FRAME_BYTES_MAX // 7)]
    assert loads(pickle.dumps(points, 5)) == points
    assert encode(points)


def test_keys_are_counted_before_they_are_looked_up() -> None:
    with pytest.raises(DecodeError, match="more than 10,000 keys or members"):
        loads(a_frame(b"}(" + b"K\x00N" * (KEYED_MAX + 1) + b"u"))


HUGE = b"\x8b" + struct.pack("<i", 4096) + b"\x7f" * 4096  # beyond what Python turns into text


@pytest.mark.parametrize("name", [HUGE + b"\x8c\x01x", b"\x8c\x01x" + HUGE, b"(" + HUGE + b"t\x8c\x01x"])
def test_a_name_that_is_no_text_is_refused_as_anything_else(name: bytes) -> None:
    with pytest.raises(DecodeError, match="a name that is not text"):
        loads(a_frame(name + b"\x93"))


def test_what_stands_for_the_class_shows_no_address_in_memory() -> None:
    stands = loads(a_frame(b"\x8c\x18multiprocessing.managers\x8c\x05Token\x93"))
    assert repr(stands) == "multiprocessing.managers.Token"


# what occurs twice


def test_a_constant_may_stand_in_an_item_as_often_as_a_program_puts_it_there() -> None:
    origin, sizes = (0, 0.0), frozenset({(1, "small"), (2, "large")})
    value = [[origin, sizes, {"at": origin}] for _ in range(1_000)] + [[(origin, (origin, None))]]
    for protocol in (4, 5):
        assert loads(pickle.dumps(value, protocol)) == value


def test_what_can_be_changed_stands_in_an_item_once() -> None:
    row: list[int] = []
    for shared in (row, (1, row), ((row,),)):
        with pytest.raises(DecodeError, match="the same list occurs twice"):
            loads(pickle.dumps([shared, shared]))


def test_tuples_of_tuples_of_the_same_tuples_count_as_often_as_they_would_be_written() -> None:
    value: tuple[object, ...] = (1, 2)
    for _ in range(25):
        value = (value, value)
    with pytest.raises(DecodeError, match="more than 50,000 lists, tuples"):
        loads(pickle.dumps(value))
    long = ("x" * 60_000,)
    with pytest.raises(DecodeError, match="bytes by repetition"):
        loads(pickle.dumps([long] * 100))


def test_a_repeated_tuple_is_as_deep_as_it_is() -> None:
    deep: tuple[object, ...] = ()
    for _ in range(DEPTH_MAX - 1):
        deep = (deep,)
    assert loads(pickle.dumps([deep, deep])) == [deep, deep]
    with pytest.raises(DecodeError, match="nested deeper"):
        loads(pickle.dumps([[deep, 1], [deep]]))
