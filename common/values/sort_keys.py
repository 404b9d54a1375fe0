"""Values as bytes that sort as Python compares the values: how a priority queue is ordered without running code.

::

    None         10                                    equals itself and has no order with anything else
    number       20  sign  exponent  fraction          exact for ints of any size and floats, which compare as one kind
    Decimal      28  sign  exponent  digits            compares with its own kind only
    str          30  UTF-8, 00 as 00 FF, then 00 00    UTF-8 sorts as code points do
    bytes        40  the same
    tuple        50  elements, then 01                 a shorter one with the same start comes first
    list         60  the same
    date         70  as a number: the day
    datetime     71, 72 (with a zone)  as a number: microseconds
    timedelta    73  as a number: microseconds
    other        7F  a digest of 16 bytes              equals itself and has no order with anything else

A *rank* is one such value. Two ranks whose first difference lies between values of two kinds, or of a kind without an order, are of
values that Python could not compare: ``comparable`` tells. A bool is a number, as in Python; so is a member of an IntEnum.

A rank has at most 1 KiB, because it stands in an index. A longer one is cut there and ends in FF: values that are alike so far
come in any order.

Source of the idea: tuple layers of ordered key-value stores (FoundationDB); the numbers are ours.
"""

from __future__ import annotations

import datetime
import enum
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

from ..errors import DecodeError
from .codec import encode

NOTHING, NUMBER, DECIMAL, TEXT, BYTES, TUPLE, LIST = 0x10, 0x20, 0x28, 0x30, 0x40, 0x50, 0x60
DATE, MOMENT, MOMENT_IN_ZONE, SPAN, UNORDERED = 0x70, 0x71, 0x72, 0x73, 0x7F
END: Final = 0x01  # of a tuple or list: below every kind
CUT: Final = 0xFF  # the last byte of a rank that was too long: above every kind
KINDS: Final = {
    NOTHING: "None",
    NUMBER: "a number",
    DECIMAL: "a Decimal",
    TEXT: "text",
    BYTES: "bytes",
    TUPLE: "a tuple",
    LIST: "a list",
    DATE: "a date",
    MOMENT: "a datetime without a zone",
    MOMENT_IN_ZONE: "a datetime with a zone",
    SPAN: "a timedelta",
    UNORDERED: "a value without an order",
}
RANK_BYTES_MAX: Final = 1024  # of one rank: it stands in an index
DEPTH_MAX: Final = 16  # what is nested deeper has no order here
DIGEST_BYTES: Final = 16  # two values are as good as never alike by chance

_NUMBERS: Final = frozenset({NUMBER, DECIMAL, DATE, MOMENT, MOMENT_IN_ZONE, SPAN})  # how they are written
_ZERO, _POSITIVE, _INFINITE = 0x80, 0x82, 0x84  # a negative number is its opposite's complement
_EXPONENT: Final = struct.Struct(">Q")
_EXPONENT_BIAS: Final = 1 << 63
_MICROSECOND: Final = datetime.timedelta(microseconds=1)
_EPOCH: Final = datetime.datetime(1970, 1, 1)


def rank(value: object) -> bytes:
    """The rank of a value that can be sent. Raises NotSerializable for a member without an order that cannot."""
    coded = _coded(value, 0)
    return coded if len(coded) < RANK_BYTES_MAX else coded[: RANK_BYTES_MAX - 1] + bytes([CUT])


def comparable(one: bytes, other: bytes) -> tuple[str, str] | None:
    """None when Python can compare the values of two ranks, else what the two kinds are that it cannot.

    Raises DecodeError for bytes that are no rank.
    """
    first, second = _tokens(one), _tokens(other)
    for mine, theirs in zip(first, second, strict=False):
        if mine == theirs:
            continue
        if mine[0] == theirs[0] != UNORDERED or END in (mine[0], theirs[0]):
            return None
        return KINDS[mine[0]], KINDS[theirs[0]]
    return None


def _coded(value: Any, depth: int) -> bytes:
    kind = type(value)
    if isinstance(value, enum.Enum) and isinstance(
        value, int | str
    ):  # an IntEnum or a StrEnum compares as its value
        value = value.value
        kind = type(value)
    if (kind is tuple or kind is list) and depth < DEPTH_MAX:
        coded = bytearray([TUPLE if kind is tuple else LIST])
        for one in value:
            coded += _coded(one, depth + 1)
            if len(coded) > RANK_BYTES_MAX:  # the rest would be cut
                break
        return bytes(coded) + bytes([END])
    known = _CODED.get(kind)
    coded_as = None if known is None else known(value)
    if coded_as is not None:
        return coded_as
    return bytes([UNORDERED]) + blake2b(encode(value, root="item"), digest_size=DIGEST_BYTES).digest()


def _of_number(value: float) -> bytes | None:
    """None for a NaN: nothing is before or after it."""
    is_nan = isinstance(value, float) and math.isnan(value)
    return None if is_nan else bytes([NUMBER]) + _number(value)


def _of_decimal(value: Decimal) -> bytes | None:
    if value.is_nan():
        return None
    if not value:
        coded = bytes([_ZERO])
    elif value.is_infinite():
        coded = bytes([_INFINITE])
    else:
        digits = bytes(digit + 1 for digit in value.as_tuple().digits).strip(b"\x01")
        coded = bytes([_POSITIVE]) + _EXPONENT.pack(value.adjusted() + _EXPONENT_BIAS) + _escaped(digits)
    return bytes([DECIMAL]) + (bytes(0xFF - byte for byte in coded) if value < 0 else coded)


def _of_moment(value: datetime.datetime) -> bytes:
    if value.utcoffset() is None:
        return bytes([MOMENT]) + _number((value.replace(tzinfo=None) - _EPOCH) // _MICROSECOND)
    since = value - _EPOCH.replace(tzinfo=datetime.UTC)
    return bytes([MOMENT_IN_ZONE]) + _number(since // _MICROSECOND)


_CODED: Final[dict[type, Callable[[Any], bytes | None]]] = {
    type(None): lambda value: bytes([NOTHING]),
    bool: _of_number,
    int: _of_number,
    float: _of_number,
    Decimal: _of_decimal,
    # As much as can stand in a rank: a longer text has more bytes than that, and its end is cut.
    str: lambda value: bytes([TEXT]) + _escaped(value[:RANK_BYTES_MAX].encode("utf-8", "surrogatepass")),
    bytes: lambda value: bytes([BYTES]) + _escaped(value[:RANK_BYTES_MAX]),
    datetime.date: lambda value: bytes([DATE]) + _number(value.toordinal()),
    datetime.datetime: _of_moment,
    datetime.timedelta: lambda value: bytes([SPAN]) + _number(value // _MICROSECOND),
}


def _number(value: float) -> bytes:
    """An int or float as sign, exponent of its highest bit, and the bits below that, as far as they go."""
    if value == 0:
        return bytes([_ZERO])
    positive = value > 0
    if isinstance(value, float) and math.isinf(value):
        coded = bytes([_INFINITE])
    else:
        numerator, denominator = abs(value).as_integer_ratio()
        bits = numerator.bit_length()
        exponent = bits - denominator.bit_length()  # of a float the denominator is a power of two
        fraction = numerator - (1 << bits - 1)
        whole_bytes = -(-(bits - 1) // 8)
        below = (fraction << whole_bytes * 8 - (bits - 1)).to_bytes(whole_bytes, "big").rstrip(b"\0")
        coded = bytes([_POSITIVE]) + _EXPONENT.pack(exponent + _EXPONENT_BIAS) + _escaped(below)
    return coded if positive else bytes(0xFF - byte for byte in coded)


def _escaped(data: bytes) -> bytes:
    return data.replace(b"\0", b"\0\xff") + b"\0\0"


def _tokens(rank: bytes) -> list[tuple[int, bytes]]:
    """``(kind, content)`` of every value in it, in order, and ``(END, b"")``. The last one of a rank that was cut is what is left
    of it."""
    was_cut = len(rank) == RANK_BYTES_MAX and rank[-1] == CUT
    rank = rank[:-1] if was_cut else rank
    tokens: list[tuple[int, bytes]] = []
    depth = place = 0
    while place < len(rank):
        kind = rank[place]
        try:
            stop = _end(rank, kind, place + 1, depth)
        except DecodeError:
            if was_cut and kind in KINDS:
                return [*tokens, (kind, rank[place + 1 :])]
            raise
        depth += (kind in (TUPLE, LIST)) - (kind == END)
        tokens.append((kind, rank[place + 1 : stop]))
        place = stop
        if not depth:
            break
    if (depth and not was_cut) or not tokens or place != len(rank):
        raise DecodeError("these bytes are not the rank of a value")
    return tokens


def _end(rank: bytes, kind: int, place: int, depth: int) -> int:
    """Where the content ends that begins here."""
    if kind in _NUMBERS:
        return _end_of_number(rank, place)
    if kind in (TEXT, BYTES):
        return _end_of_escaped(rank, place, 0x00)
    if kind == UNORDERED and place + DIGEST_BYTES <= len(rank):
        return place + DIGEST_BYTES
    if kind in (NOTHING, TUPLE, LIST) or (kind == END and depth):
        return place
    raise DecodeError("these bytes are not the rank of a value")


def _end_of_number(rank: bytes, place: int) -> int:
    sign = rank[place] if place < len(rank) else 0
    if sign in (_ZERO, _INFINITE, 0xFF - _INFINITE):
        return place + 1
    if sign not in (_POSITIVE, 0xFF - _POSITIVE):
        raise DecodeError("these bytes are not the rank of a value")
    return _end_of_escaped(rank, place + 1 + _EXPONENT.size, 0x00 if sign == _POSITIVE else 0xFF)


def _end_of_escaped(rank: bytes, place: int, zero: int) -> int:
    """Behind the first ``zero zero`` that is not within an escape."""
    while True:
        found = rank.find(bytes([zero]), place)
        if found < 0 or found + 1 >= len(rank):
            raise DecodeError("these bytes are not the rank of a value")
        if rank[found + 1] == zero:
            return found + 2
        place = found + 2
