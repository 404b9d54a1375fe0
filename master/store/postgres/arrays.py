"""Columns of rows as PostgreSQL's arrays, in its binary form: one parameter holds one column of all rows.

A text of PostgreSQL cannot hold the character NUL, which one of SQLite can: that and the escape itself are escaped, one to one,
so that equal texts stay equal and all others are readable as they are. Nor can a column of bytes hold a number, as the rank of an item
is one in a queue without priorities: it is written as a prefix and the number, and bytes that begin so with the prefix before them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

HEADER: Final = struct.Struct(">iiIii")  # dimensions, whether there are nulls, type, length, first index
SIZED_INT: Final = struct.Struct(">iq").pack
SIZED_FLOAT: Final = struct.Struct(">id").pack
SIZE: Final = struct.Struct(">i").pack
NULL: Final = b"\xff\xff\xff\xff"
ESCAPE: Final = "\x1a"
PREFIX: Final = b"\x1atq:"
PREFIX_BYTES: Final = len(PREFIX)
NUMBER, NO_NUMBER = PREFIX + b"n", PREFIX + b"b"

ELEMENT_OIDS: Final = {"bigint": 20, "bytea": 17, "text": 25, "double precision": 701}
ARRAY_OIDS: Final = {"bigint": 1016, "bytea": 1001, "text": 1009, "double precision": 1022}


def escaped(text: str) -> str:
    """As PostgreSQL can hold it."""
    if "\0" in text or ESCAPE in text:
        return text.replace(ESCAPE, f"{ESCAPE}1").replace("\0", f"{ESCAPE}0")
    return text


def unescaped(text: str) -> str:
    if ESCAPE in text:
        return text.replace(f"{ESCAPE}0", "\0").replace(f"{ESCAPE}1", ESCAPE)
    return text


def as_bytes(value: bytes | int) -> bytes:
    """What stands in a column of bytes."""
    if isinstance(value, int):
        return NUMBER + b"%d" % value
    return NO_NUMBER + value if value[:PREFIX_BYTES] == PREFIX else value


def from_bytes(value: bytes) -> bytes | int:
    if value[:PREFIX_BYTES] != PREFIX:
        return value
    rest = value[len(NUMBER) :]
    return int(rest) if value.startswith(NUMBER) else rest


def _bytes(value: bytes | int) -> bytes:
    value = as_bytes(value)
    return SIZE(len(value)) + value


def _text(value: str) -> bytes:
    data = escaped(value).encode()
    return SIZE(len(data)) + data


ELEMENTS: Final[dict[str, Callable[[Any], bytes]]] = {
    "bigint": lambda value: SIZED_INT(8, value),
    "bytea": _bytes,
    "text": _text,
    "double precision": lambda value: SIZED_FLOAT(8, value),
}


def array(kind: str, values: Sequence[Any]) -> bytes:
    """A column's values. ``kind``: its type."""
    element = ELEMENTS[kind]
    nulls = None in values
    head = HEADER.pack(1, nulls, ELEMENT_OIDS[kind], len(values), 1)
    if nulls:
        return head + b"".join([NULL if value is None else element(value) for value in values])
    return head + b"".join(map(element, values))
