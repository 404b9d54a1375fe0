"""A command with places for an item, as GNU parallel writes it: ``convert {} {.}.png``. Pure.

========= ==============================================
``{}``    the item
``{.}``   without its extension
``{/}``   its last part, as of a path
``{//}``  its folder
``{/.}``  the last part without its extension
``{#}``   its number
========= ==============================================

A template is split into words first, and items are inserted afterwards: an item stays (part of) one word, whatever it
contains. A line for a shell gets items as parameters, see ``shell_line.py``.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, Final

from ....common.errors import InvalidArgument
from .code_takers import UnsafePlace, Word, judge
from .shell_line import ShellLine

PLACE: Final = re.compile(r"\{(/?\.|//?|#|)\}")
HARMLESS: Final = frozenset({"{#}"})  # a number, harmless in any context
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
        if not for_shell:
            _check_programs(self._words)
        self._line = ShellLine(self._words[0], PLACE, HARMLESS) if for_shell else None

    def fill(self, item: str, number: int) -> list[str | bytes]:
        """The command for an item; words that are not text are bytes."""

        def value(place: re.Match[str]) -> str:
            return str(number) if place[1] == "#" else _PARTS[place[1]](item)

        if self._line is not None:
            words = self._line.words(SHELL, lambda place: PLACE.sub(value, place))
        else:
            words = [PLACE.sub(value, word) for word in self._words]
        if any("\0" in word for word in words):
            raise InvalidArgument("a word of a command cannot hold a zero byte")
        return [_sendable(word) for word in words]


def _check_programs(words: Sequence[str]) -> None:
    """``sh -c 'wc {}'`` would run what an item says: its program is text for another shell."""
    try:
        judge([_word(word) for word in words], in_line=False)
    except UnsafePlace as fault:
        raise InvalidArgument(
            f"{fault.what} stands {fault.where} in {shlex.join(words)!r:.120}, where an item could be run as a program; {fault.hint}"
        ) from None


def _word(text: str) -> Word:
    places = [place[0] for place in PLACE.finditer(text)]
    first = next((place for place in places if place not in HARMLESS), "")
    return Word(text, first, not places, text)


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
