"""References to managers' objects in values: exact on the wire, kept as they are by who only keeps them."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.errors import DecodeError, NotSerializable
from tq.common.values.codec import decode, encode
from tq.common.values.extension_types import REFERENCE
from tq.common.values.references import WIRE_BYTES_MAX, Reference

IDENT = b"i" * 16
OBJECT = Reference("object", ("dict", IDENT, None, None), "c1")
NAMED = Reference("object", ("dict", "counts", ("get", "set"), "m:Proxy"), "c1")
LOCK = Reference("sync", ("Condition", "own.x", ("RLock", "own.x", "rlock", 1)), "c1")


@pytest.mark.parametrize("reference", [OBJECT, NAMED, LOCK])
def test_a_reference_comes_back_as_it_is_to_who_keeps_it(reference: Reference) -> None:
    value = [{"k": (reference, 1)}, {reference}]
    assert decode(encode(value), as_is=True) == value
    assert hash(reference) == hash(decode(encode(reference), as_is=True))


def test_what_stays_is_distinguished_from_what_ends_with_a_program() -> None:
    assert [one.stays for one in (OBJECT, NAMED, LOCK)] == [False, True, False]
    assert encode([NAMED], must_stay=True)
    with pytest.raises(
        NotSerializable, match=r"value\[0\]: <dict of a manager>, which goes with the program"
    ):
        encode([OBJECT], must_stay=True)
    assert encode([OBJECT])


def test_who_uses_a_value_needs_a_line_to_the_master_of_what_is_in_it() -> None:
    with pytest.raises(DecodeError, match="<dict 'counts' of a manager> is at a master that this process"):
        decode(encode([NAMED]))


@pytest.mark.parametrize(
    "wire",
    [
        [],
        ["object"],
        ["object", [], "c1"],
        ["object", ["dict"], "c1"],
        ["object", [7, "x"], "c1"],
        ["object", ["dict", "x"], 7],
        ["module", ["os", "system"], "c1"],
        {"object": 1},
        ["object", ["dict", "x" * WIRE_BYTES_MAX], "c1"],
    ],
)
def test_what_is_no_reference_is_refused(wire: object) -> None:
    with pytest.raises(DecodeError):
        decode(encode_ext(msgpack.packb(wire)), as_is=True)


@given(st.binary(max_size=100))
def test_hostile_bytes_are_only_ever_refused(body: bytes) -> None:
    for as_is in (True, False):
        try:
            decode(encode_ext(body), as_is=as_is)
        except DecodeError:
            continue


def encode_ext(body: bytes) -> bytes:
    packed: bytes = msgpack.packb(msgpack.ExtType(REFERENCE, body))
    return packed


def deep(depth: int) -> Any:
    part: Any = "x"
    for _ in range(depth):
        part = [part]
    return part


@pytest.mark.parametrize(
    "part",
    [
        deep(9),
        deep(470),
        {"a": 1},
        1.5,
        msgpack.Timestamp(1),
        msgpack.ExtType(2, b"\x01" * 9),  # an int that msgpack has not
        msgpack.ExtType(3, msgpack.packb([1, 2])),  # a set
        msgpack.ExtType(16, msgpack.packb([[], 2])),
    ],
    ids=repr,
)
def test_one_that_could_not_be_sent_on_is_refused_where_it_arrives(part: Any) -> None:
    body = msgpack.packb(["object", ["dict", "x", part], "00"])
    with pytest.raises(DecodeError):
        decode(msgpack.packb(msgpack.ExtType(17, body)), as_is=True)


def test_one_whose_parts_are_names_and_numbers_is_what_it_was() -> None:
    where = ("Condition", "c", ("Lock", "l", None, 2**63 - 1, b"x", ("a", ("b",))))
    reference = Reference("sync", where, "00")
    assert decode(encode(reference), as_is=True) == reference
    assert {reference: 1}[decode(encode(reference), as_is=True)] == 1
