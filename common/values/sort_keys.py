"""Values as bytes that sort as Python compares the values: how a priority queue is ordered without running code.

::

    number   20  sign  exponent  fraction          exact for ints of any size and floats, which compare as one kind
    str      30  UTF-8, 00 as 00 FF, then 00 00    UTF-8 sorts as code points do
    bytes    40  the same
    tuple    50  elements, then 01                 a shorter one with the same start comes first
    list     60  the same

A *rank* is one such value. Two ranks whose first difference lies between values of two kinds are of values
that Python could not compare: ``comparable`` tells. A bool is a number, as in Python.

Source of the idea: tuple layers of ordered key-value stores (FoundationDB); the numbers are ours.
"""

from __future__ import annotations

import math
import struct
from typing import Final

from ..errors import DecodeError, InvalidArgument

NUMBER, TEXT, BYTES, TUPLE, LIST = 0x20, 0x30, 0x40, 0x50, 0x60
END: Final = 0x01  # of a tuple or list: below every kind
KINDS: Final = {NUMBER: "a number", TEXT: "text", BYTES: "bytes", TUPLE: "a tuple", LIST: "a list"}
RANK_BYTES_MAX: Final = 1024  # of one rank: it stands in an index
DEPTH_MAX: Final = 16

_ZERO, _POSITIVE, _INFINITE = 0x80, 0x82, 0x84  # a negative number is its opposite's complement
_EXPONENT: Final = struct.Struct(">Q")
_EXPONENT_BIAS: Final = 1 << 63


def rank(value: object) -> bytes:
    """The rank of a value.

    Raises TypeError for what has no order here, ValueError for a NaN, InvalidArgument for a rank over 1 KiB.
    """
    coded = _coded(value, 0)
    if len(coded) > RANK_BYTES_MAX:
        raise InvalidArgument(
            f"what orders this item has {len(coded):,} bytes, the limit is {RANK_BYTES_MAX:,}; "
            "put (priority, item) with a small priority"
        )
    return coded


def comparable(one: bytes, other: bytes) -> tuple[str, str] | None:
    """None when Python can compare the values of two ranks, else what the two kinds are that it cannot.

    Raises DecodeError for bytes that are no rank.
    """
    first, second = _tokens(one), _tokens(other)
    for mine, theirs in zip(first, second, strict=False):
        if mine == theirs:
            continue
        if mine[0] != theirs[0] and END not in (mine[0], theirs[0]):
            return KINDS[mine[0]], KINDS[theirs[0]]
        return None
    return None


def _coded(value: object, depth: int) -> bytes:
    kind = type(value)
    if kind is bool or kind is int or kind is float:
        return bytes([NUMBER]) + _number(value)  # type: ignore[arg-type]
    if kind is str:
        return bytes([TEXT]) + _escaped(value.encode("utf-8", "surrogatepass"))  # type: ignore[attr-defined]
    if kind is bytes:
        return bytes([BYTES]) + _escaped(value)  # type: ignore[arg-type]
    if kind is tuple or kind is list:
        if depth >= DEPTH_MAX:
            raise TypeError(f"nested more than {DEPTH_MAX} deep: too deep to be ordered")
        inner = b"".join(_coded(one, depth + 1) for one in value)  # type: ignore[attr-defined]
        return bytes([TUPLE if kind is tuple else LIST]) + inner + bytes([END])
    raise TypeError(
        f"a {kind.__name__} has no order here; order items by numbers, text, bytes, or tuples of them: put (priority, item)"
    )


def _number(value: float) -> bytes:
    """An int or float as sign, exponent of its highest bit, and the bits below that, as far as they go."""
    if isinstance(value, float) and math.isnan(value):
        raise ValueError("nan has no order: nothing is before or after it")
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
    """``(kind, content)`` of every value in it, in order, and ``(END, b"")``."""
    tokens: list[tuple[int, bytes]] = []
    depth = place = 0
    while place < len(rank):
        kind = rank[place]
        if kind in (TUPLE, LIST):
            depth += 1
            stop = place + 1
        elif kind == END and depth:
            depth -= 1
            stop = place + 1
        elif kind == NUMBER:
            stop = _end_of_number(rank, place + 1)
        elif kind in (TEXT, BYTES):
            stop = _end_of_escaped(rank, place + 1, 0x00)
        else:
            raise DecodeError("these bytes are not the rank of a value")
        tokens.append((kind, rank[place + 1 : stop]))
        place = stop
        if not depth:
            break
    if depth or not tokens or place != len(rank):
        raise DecodeError("these bytes are not the rank of a value")
    return tokens


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
