"""Columns of rows as PostgreSQL's arrays, in its binary form: one parameter holds one column of all rows.

A text of PostgreSQL cannot hold the character NUL, which one of SQLite can: that and the escape itself are escaped, one to one,
so that equal texts stay equal and all others are readable as they are.
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


def _bytes(value: bytes) -> bytes:
    return SIZE(len(value)) + value


def _text(value: str) -> bytes:
    return _bytes(escaped(value).encode())


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
