"""Arrays of the module ``array`` in values. Those of numpy are in ``test_codec.py``."""

from __future__ import annotations

import sys
from array import array
from typing import Any

import msgpack
import pytest
from tq.common.errors import DecodeError, NotSerializable
from tq.common.values.brief import brief
from tq.common.values.codec import decode, encode
from tq.common.values.extension_types import MACHINE_ARRAY


def ext(*parts: Any) -> bytes:
    return bytes(msgpack.packb(msgpack.ExtType(MACHINE_ARRAY, msgpack.packb(parts))))


@pytest.mark.filterwarnings(
    "ignore:The 'u' type code is deprecated:DeprecationWarning"
)  # from Python 3.13 on
@pytest.mark.parametrize("typecode", "bBhHiIlLqQfdu")
def test_an_array_comes_back_with_its_type_and_elements(typecode: str) -> None:
    content: Any = "aß\U0001f600" if typecode == "u" else [0, 1, 100]
    for value in (array(typecode, content), array(typecode)):
        back = decode(encode([{"a": value}]))[0]["a"]
        assert (type(back), back.typecode, back) == (array, typecode, value)


def test_an_array_of_a_machine_with_other_sizes_is_read_by_its_numbers() -> None:
    other = 4 if array("l").itemsize == 8 else 8
    numbers = [1, -2, 3]
    data = b"".join(number.to_bytes(other, "little", signed=True) for number in numbers)
    assert decode(ext("l", other, data)) == array("l", numbers)
    with pytest.raises(DecodeError, match=r"too large|too big|out of range|greater than"):
        decode(ext("b", 2, (1_000).to_bytes(2, "little")))


@pytest.mark.parametrize(
    "parts",
    [
        ("x", 1, b"1"),
        ("", 1, b"1"),
        ("bh", 1, b"1"),
        (7, 1, b"1"),
        ("i", 3, b"123"),
        ("i", 4, b"123"),
        ("i", 4, "text"),
        ("i", 4, [1]),
        ("u", 0, b"1234"),
        ("i", None, b"1234"),
        ("i", 4),
    ],
)
def test_what_is_no_array_is_not_read(parts: tuple[Any, ...]) -> None:
    with pytest.raises(DecodeError):
        decode(ext(*parts))


def test_an_array_of_a_class_of_ones_own_is_refused() -> None:
    class Mine(array):  # type: ignore[type-arg]
        pass

    with pytest.raises(NotSerializable, match="Mine cannot be sent"):
        encode(Mine("i", [1]))


def test_a_long_array_is_described_by_its_beginning() -> None:
    text = brief(array("i", range(1_000_000)), 200)
    assert text == "array('i', [0, 1, 2, 3, 4, 5, 6, 7, …])"
    assert brief(array("i", [1]), 200) == "array('i', [1])"
    assert sys.getsizeof(text) < 1_000
