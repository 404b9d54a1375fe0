"""An item of a program of tq, read from the codec's bytes for the writer: nothing is imported for it, nothing hashed.
(Where the system has no time zones, ``zoneinfo`` finds them in the folders of ``tzdata``, as packages.)

Anyone with a client's key can make these bytes. So values are counted, and nothing is looked up by its hash, which can be
made to collide: sets and dicts stay lists here, until the stock client makes them.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final

import msgpack

from ...common.errors import DecodeError
from ...common.values.depth import DEPTH_MAX, is_deeper
from ...common.values.extension_types import (
    ARRAY,
    BIG_INT,
    BLOB,
    DATE,
    DATETIME,
    DECIMAL,
    ENUM,
    FROZENSET,
    MACHINE_ARRAY,
    PAIRS,
    PATH,
    REFERENCE,
    SCALAR,
    SET,
    TIME,
    TIMEDELTA,
    TUPLE,
    UUID_,
    decode_ext,
    type_of_flavour,
)
from ...common.values.wants import Reading, met

_NOT_THEIRS: Final = {BLOB: "tq.Blob", REFERENCE: "manager's object"}
VALUES_MAX: Final = 1_000_000  # in one item: half a second
_TOO_MANY: Final = (
    f"the next item has more than {VALUES_MAX:,} values in it, too many for clients of the standard library; "
    "take it with tq.managers"
)
PATH_CHARS_MAX: Final = 64 * 1024
_MADE: Final = {  # by templates, and the bytes of the longest of each: a zone has a name
    DATETIME: 1024,
    DATE: 64,
    TIME: 1024,
    TIMEDELTA: 64,
    DECIMAL: 2**24,
    UUID_: 16,
}
_VALUES_OF_MADE: Final = 10  # what one of those costs, in plain values
# numpy's numbers, as .item() gives them: kind and size of a dtype, and struct's letter for it
_NUMBERS: Final = {
    "b1": "?",
    "f2": "e",
    "f4": "f",
    "f8": "d",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
}


def read_item(payload: bytes) -> Any:
    """An item's value from the codec's bytes, as it is to be written. Nothing is imported for it, nothing hashed."""
    before, met.reading = met.reading, Reading()
    try:
        value = _Item().unpack(payload, 0)
    finally:
        met.reading = before
    if is_deeper(DEPTH_MAX, [value], _NESTING):
        raise DecodeError(f"the next item cannot be read here: values nested deeper than {DEPTH_MAX}")
    return value


class UnmadeDict(list[Any]):
    """The pairs of a dict."""

    @property
    def members(self) -> Iterable[Any]:
        return chain.from_iterable(self)


class UnmadeSet(list[Any]):
    """The members of a set."""


class UnmadeFrozenSet(list[Any]):
    """The members of a frozenset."""


_CONTAINERS: Final[dict[int, Callable[[list[Any]], Any]]] = {
    TUPLE: tuple,
    SET: UnmadeSet,
    FROZENSET: UnmadeFrozenSet,
    PAIRS: lambda parts: UnmadeDict(zip(parts[::2], parts[1::2], strict=True)),
}
_NESTING: Final = frozenset({list, tuple, UnmadeDict, UnmadeSet, UnmadeFrozenSet})


class _Item:
    """What is known of an item while it is read."""

    def __init__(self) -> None:
        self._left = VALUES_MAX
        self._zones: dict[int, Any] = {}  # kept, so that each is loaded once

    def unpack(self, data: bytes, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise DecodeError(f"values nested deeper than {DEPTH_MAX}")
        try:
            return msgpack.unpackb(
                data,
                raw=False,
                strict_map_key=False,
                max_array_len=VALUES_MAX,
                max_map_len=VALUES_MAX,
                list_hook=self._counted,
                object_pairs_hook=lambda pairs: UnmadeDict(self._counted(pairs)),
                ext_hook=lambda code, body: self._extended(code, body, depth),
            )
        except Exception as error:  # of msgpack, or of any constructor of values: it is this item's
            if "exceeds max_" in str(error):
                raise DecodeError(_TOO_MANY) from None
            raise DecodeError(f"the next item cannot be read here: {error or type(error).__name__}") from None

    def _counted(self, values: list[Any], more: int = 1) -> list[Any]:
        self._left -= len(values) + more
        if self._left < 0:
            raise DecodeError(_TOO_MANY)
        return values

    def _extended(self, code: int, body: bytes, depth: int) -> Any:
        if code in _CONTAINERS:
            return _CONTAINERS[code](self._unpacked_list(body, depth))
        self._counted([], _VALUES_OF_MADE)
        if code == BIG_INT:
            return int.from_bytes(body, "big", signed=True)
        if code in _STAND_INS:
            return _STAND_INS[code](*self._unpacked_list(body, depth))
        if code not in _MADE:
            what = _NOT_THEIRS.get(code, "value of a newer version")
            raise DecodeError(
                f"the next item has a {what} in it, which clients of the standard library cannot have from here; "
                "take it with tq.managers"
            )
        if len(body) > _MADE[code]:
            raise DecodeError("the next item cannot be read here: a date, number or id that is none")
        return self._without_zone_file(decode_ext(code, body))

    def _unpacked_list(self, body: bytes, depth: int) -> list[Any]:
        inner = self.unpack(body, depth + 1)
        if type(inner) is not list:
            raise DecodeError("the next item cannot be read here: a list was expected in it")
        return inner

    def _without_zone_file(self, value: Any) -> Any:
        """The same instant at a fixed offset that bears the zone's name: 3.8 has no zoneinfo, other hosts no zone files."""
        zone = getattr(value, "tzinfo", None)
        if zone is None or type(zone) is datetime.timezone:
            return value
        self._zones[id(zone)] = zone
        offset = value.utcoffset()
        return value.replace(tzinfo=None if offset is None else datetime.timezone(offset, str(zone)))


def _path(flavour: Any, text: Any) -> Any:
    if type(text) is not str or len(text) > PATH_CHARS_MAX:
        raise DecodeError(f"the next item has a path of more than {PATH_CHARS_MAX:,} characters in it")
    return type_of_flavour[flavour](text)


def _numpy_scalar(dtype: Any, data: Any) -> Any:
    letter = _NUMBERS.get(dtype[1:])
    if letter is None:
        return dtype, (), data
    return struct.unpack((">" if dtype[0] == ">" else "<") + letter, data)[0]


_STAND_INS: Final[dict[int, Callable[..., Any]]] = {
    PATH: _path,
    ENUM: lambda name, member: (name, member),
    ARRAY: lambda dtype, shape, data: (dtype, tuple(shape), data),
    SCALAR: _numpy_scalar,
    MACHINE_ARRAY: lambda typecode, size, data: (typecode, data),
}
