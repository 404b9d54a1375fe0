"""``"{domain}"``: text with the values of parameters, by which tasks are distinguished. Pure.

The grammar is our own and has no more than this: ``{name}`` is the value of a parameter, ``{{`` and ``}}`` are braces, all
else is literal. There are no attributes, indexes, conversions or formats, so no expression reaches further than an argument.

An expression is judged against the function's parameters when the task is defined, and evaluated in the client when a task is
submitted: the master gets texts, never arguments.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from ..errors import InvalidArgument
from ..values.brief import brief
from .likely_names import likely_name

EXPRESSION_CHARS_MAX: Final = 255  # as of a name: it stands in tables
# Of what an expression gives, in UTF-8: the master keeps one for each group of tasks
KEY_BYTES_MAX: Final = 256
SHOWN_CHARS: Final = 40  # of a key that is too long, in its error
AS_TEXT: Final = bool, UUID, Decimal, date  # what says itself
_DIGIT_BITS: Final = 3  # a decimal digit has more: what cannot fit is not written out
_PIECES: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")


class Expression(NamedTuple):
    """``pieces``: literal text and names of parameters, in turn: ``("", "host", ":", "port", "")``. Made by ``expression``."""

    text: str
    pieces: tuple[str, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        """In the order in which they stand, each as often as it does."""
        return self.pieces[1::2]

    def check(self, what: str, known: Collection[str], function: str) -> None:
        """Raises InvalidArgument for a parameter that the function does not have."""
        for name in self.parameters:
            if name in known:
                continue
            likely = likely_name(name, known)
            meant = f"; did you mean {{{likely}}}?" if likely else ""
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InvalidArgument(
                f"{what}={self.text!r}: {function} has no parameter {name!r} ({has}){meant}"
            )

    def key(self, what: str, values: Mapping[str, Any]) -> str:
        """The text for these arguments. Raises InvalidArgument for a value that is neither text nor a number, and for a text
        that is too long."""
        pieces = list(self.pieces)
        for at in range(1, len(pieces), 2):
            name = pieces[at]
            if name not in values:
                raise InvalidArgument(
                    f"{what}={self.text!r}: this call has no argument {name!r}; pass it by name, {name}=…"
                )
            pieces[at] = _text_of(what, self.text, name, values[name])
        return check_key(what, "".join(pieces))


def expression(what: str, text: object) -> Expression:
    """Raises InvalidArgument with the place that is wrong. ``what``: the option that has it, for the message."""
    if not isinstance(text, str) or not 1 <= len(text) <= EXPRESSION_CHARS_MAX or not text.isprintable():
        raise InvalidArgument(
            f"{what}={brief(text, 80)}: an expression is text of 1 to {EXPRESSION_CHARS_MAX} printable characters, such as "
            f"{what}='{{customer}}'"
        )
    pieces = [""]
    for found in _PIECES.finditer(text):
        piece, name = found.group(), found.group(1)
        if name is not None:
            if not name.isidentifier():
                raise InvalidArgument(
                    f"{what}={text!r}: {brief(piece, 80)} at character {found.start() + 1} names no parameter; between braces "
                    f"stands a name alone, as in {what}='{{customer}}', and {{{{ is a brace"
                )
            pieces += [name, ""]
        elif piece in ("{", "}"):
            raise InvalidArgument(
                f"{what}={text!r}: the brace at character {found.start() + 1} has no other; write {piece * 2} for a brace itself"
            )
        else:
            pieces[-1] += piece[:1] if piece in ("{{", "}}") else piece
    return Expression(text, tuple(pieces))


def check_key(what: str, key: object) -> str:
    """A text by which tasks are distinguished: at most 256 bytes of UTF-8. Raises InvalidArgument."""
    if not isinstance(key, str):
        raise InvalidArgument(f"{what} is text, not {brief(key, 80)}")
    try:
        size = len(key) if key.isascii() else len(key.encode())
    except UnicodeEncodeError:
        raise InvalidArgument(
            f"{what}: {brief(key, 80)} has half a character (a surrogate); decode it as text first"
        ) from None
    if size > KEY_BYTES_MAX:
        raise InvalidArgument(
            f"{what}: the key {key[:SHOWN_CHARS]!r}… has {size:,} bytes; at most {KEY_BYTES_MAX}: use a shorter parameter, for "
            "instance a domain and not a URL"
        )
    return key


def _text_of(what: str, text: str, name: str, value: object) -> str:
    """Numbers and text are written as themselves, whatever class of their own they have."""
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, AS_TEXT):
        return str(value)
    if isinstance(value, int):
        if value.bit_length() > KEY_BYTES_MAX * (_DIGIT_BITS + 1):
            raise InvalidArgument(
                f"{what}={text!r}: the argument {name!r} is {brief(value, 80)}; a key has at most {KEY_BYTES_MAX} bytes"
            )
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value)
    raise InvalidArgument(
        f"{what}={text!r}: the argument {name!r} is {brief(value, 80)}, and a key is made of text and numbers; give the "
        "function a parameter that has what distinguishes its tasks"
    )
