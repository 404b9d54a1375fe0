"""Text that others wrote, without what steers a terminal. Pure."""

from __future__ import annotations

import functools
import unicodedata
from typing import Final

_PICTURES: Final = 0x2400  # of control characters: ␀ to ␟
_DELETE: Final = "\u2421"


def clean(text: str) -> str:
    """Text of any number of lines without what a terminal obeys. Line ends and tabs stay; a return before a line end goes."""
    return _cleaned(text.replace("\r\n", "\n"), keeping="\n\t")


def clean_line(text: str) -> str:
    """One line of a table: line ends are shown, too."""
    return _cleaned(text, keeping="")


def _cleaned(text: str, keeping: str) -> str:
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keeping else _shown(one) for one in text)


@functools.lru_cache(1_000)
def _shown(character: str) -> str:
    """Controls as pictures of them; spaces other than the common one as they are; everything else that shows nothing,
    or changes what is read, as the sign for it."""
    if ord(character) < 0x20:
        return chr(_PICTURES + ord(character))
    if character == "\x7f":
        return _DELETE
    return character if unicodedata.category(character) == "Zs" else "\N{REPLACEMENT CHARACTER}"
