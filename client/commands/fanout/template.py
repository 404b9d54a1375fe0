"""A command with places for an item, as GNU parallel writes it: ``convert {} {.}.png``. Pure.

========= ==============================================
``{}``    the item
``{.}``   without its extension
``{/}``   its last part, as of a path
``{//}``  its folder
``{/.}``  the last part without its extension
``{#}``   its number
========= ==============================================

A template becomes words first and gets items in their places after: whatever an item contains, it stays (part of)
one word. In a line for a shell, it is quoted.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, Final

from ....common.errors import InvalidArgument

PLACE: Final = re.compile(r"\{(/?\.|//?|#|)\}")
SHELL: Final = "/bin/sh"


def _stem(text: str) -> str:
    """Without the extension of the last part; a leading dot begins none."""
    folder, slash, name = text.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    return f"{folder}{slash}{stem if dot and stem else name}"


def _name(text: str) -> str:
    return text.rpartition("/")[2]


_PARTS: Final[dict[str, Callable[[str], str]]] = {
    "": lambda item: item,
    ".": _stem,
    "/": _name,
    "//": lambda item: os.path.dirname(item) or ".",
    "/.": lambda item: _stem(_name(item)),
}


class Template:
    """``words``: of the command line. One word is taken apart as a shell would; several are words as they are."""

    def __init__(self, words: Sequence[str], *, for_shell: bool) -> None:
        self._for_shell = for_shell
        self.text = words[0] if len(words) == 1 else shlex.join(words)
        if for_shell:
            self._words = [words[0] if len(words) == 1 else " ".join(words)]
        else:
            self._words = _split(words[0]) if len(words) == 1 else list(words)
        if len(words) > 1 and not for_shell and any(map(str.isspace, words[0])):
            raise InvalidArgument(
                f"there is no program {words[0]!r:.80}; a command is one word that is taken apart, or a word for each "
                "of its words, and options of tq exec stand before it"
            )
        if not any(self._words):
            raise InvalidArgument("there is no command; write e.g. tq exec 'gzip -k {}' ::: *.log")
        if not any(PLACE.search(word) for word in self._words):  # as GNU parallel: it goes behind
            self._words = [f"{self._words[0]} {{}}"] if for_shell else [*self._words, "{}"]

    def fill(self, item: str, number: int) -> list[str | bytes]:
        """The command for an item; words that are not text are bytes."""
        words = [self._fill_word(word, item, number) for word in self._words]
        if self._for_shell:
            words = [SHELL, "-c", *words]
        if any("\0" in word for word in words):
            raise InvalidArgument("a word of a command cannot hold a zero byte")
        return [_sendable(word) for word in words]

    def _fill_word(self, word: str, item: str, number: int) -> str:
        def part(place: re.Match[str]) -> str:
            text = str(number) if place[1] == "#" else _PARTS[place[1]](item)
            return shlex.quote(text) if self._for_shell else text

        return PLACE.sub(part, word)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidArgument(f"the command {text!r:.80} cannot be taken apart: {error}") from None


def _sendable(word: str) -> Any:
    """Text, or bytes for what no encoding knows, such as some file names."""
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(word)
    return word
