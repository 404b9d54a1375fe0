"""Values of options: a bound that ``none`` lifts, and names that are not empty. Pure."""

from __future__ import annotations

from typing import Final

from ...common.errors import InvalidArgument

NONE: Final = "none"  # typed for: without a bound
# Beyond any bound, and what 64 bits can say; ``int`` raises ValueError for thousands of them
DIGITS_MAX: Final = 18


def bound(option: str, text: str) -> int | None:
    """A whole number from 0; None for ``none``. Its range is checked by what it bounds. Raises InvalidArgument."""
    if text == NONE:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidArgument(f"{option} is a whole number, or none; not {text[:40]!r}")
    return int(text[:DIGITS_MAX])


def named(option: str, text: str | None, example: str) -> str | None:
    """An option's text. Empty it is mostly a variable of a script that is not set: taken for none, it would give more than was meant.
    Raises InvalidArgument."""
    if text is not None and not text.strip():
        raise InvalidArgument(f"{option} {text!r}: it is empty; write {option} {example}, or leave it out")
    return text
