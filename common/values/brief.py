"""A value in the words of an error: the beginning of its ``repr``. Never raises, and costs no more than what is shown.

``repr`` itself does raise: for an int of more than 4,300 digits, for lists a thousand deep, in the code of a class; and
of a list of a million it makes all. Code that refuses a value describes it with this, because an error whose message raises
another error does not reach the caller.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from .unmade import Unmade

CHARS: Final = 40  # shown by default
MEMBERS: Final = 8  # of a collection, and
DEPTH: Final = 3  # of collections in collections, that are looked at
NAMED: Final = 3  # names in a sentence
DIGIT_BITS: Final = 4  # more than a decimal digit takes: 3.33
_BRACKETS: Final[dict[type, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


def brief(value: object, chars: int = CHARS) -> str:
    """At most so many characters."""
    try:
        return _text(value, chars, DEPTH)[:chars]
    except Exception:
        return f"<a value of type {type(value).__name__}>"[:chars]


def few(names: Iterable[str], most: int = NAMED) -> str:
    """``a, b, c and 37 more``: of any number of names, none of them twice, as much as belongs in a sentence."""
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - most
    return ", ".join(distinct[:most]) + (f" and {more:,} more" if more > 0 else "")


def _text(value: object, chars: int, depth: int) -> str:
    kind = type(value)
    if isinstance(value, str | bytes | bytearray):
        return repr(value[:chars]) if kind in (str, bytes, bytearray) else repr(value)
    if isinstance(value, int) and value.bit_length() > DIGIT_BITS * max(chars, 80):
        return f"<an int of {value.bit_length():,} bits>"
    if isinstance(value, Unmade):
        return f"<a {value.kind.__name__} of {len(value):,}>"
    if kind is dict:
        pairs = [
            f"{_inner(key, chars, depth)}: {_inner(one, chars, depth)}"
            for key, one in islice(value.items(), MEMBERS)  # type: ignore[attr-defined]
        ]
        return f"{{{_joined(pairs, value)}}}"
    if kind in _BRACKETS and value:
        opening, closing = _BRACKETS[kind]
        members = [_inner(one, chars, depth) for one in islice(value, MEMBERS)]  # type: ignore[call-overload]
        comma = "," if kind is tuple and len(members) == 1 else ""
        return f"{opening}{_joined(members, value)}{comma}{closing}"
    if kind is array:
        return f"array({value.typecode!r}, {_text(value[: MEMBERS + 1].tolist(), chars, 1)})"  # type: ignore[attr-defined, index]
    return repr(value)


def _inner(value: object, chars: int, depth: int) -> str:
    return _text(value, chars, depth - 1) if depth else "…"


def _joined(members: list[str], of: Any) -> str:
    return ", ".join([*members, "…"] if len(of) > len(members) else members)
