"""The words of a filter and their places in it, and what is said of a wrong one: the text with a caret below. Pure.

Words are separated by blanks, and quoted as in a shell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ...common.errors import InvalidArgument

SIGNED: Final = re.compile(r"([a-z_]+(?:\.[\w.-]*)?)(=|~|!=|>=?|<=?|:)(.*)", re.DOTALL)
SHOWN_CHARS: Final = 76  # of a filter, around the place that is wrong
BEFORE_CHARS: Final = 30
BLANKS: Final = " \t\r\n"
QUOTES: Final = "'\""


class FilterPlace(NamedTuple):
    """Characters of a filter, the last one behind the part."""

    expression: str
    start: int
    stop: int

    def of(self, part: str) -> FilterPlace:
        """That of a text which stands somewhere inside, such as one of several values; else the whole."""
        found = self.expression.find(part, self.start, self.stop) if part else -1
        return self if found < 0 else FilterPlace(self.expression, found, found + len(part))


class WrongFilter(InvalidArgument):
    """``reason``: what is wrong and what would be right. ``place``: where; None: it was given by another option than ``--where``."""

    def __init__(self, reason: str, place: FilterPlace | None) -> None:
        super().__init__(f"--where: {reason}\n{drawn(place)}" if place else reason)
        self.reason, self.place = reason, place


class FilterWord(NamedTuple):
    text: str  # without its quotation marks
    place: FilterPlace


class FilterTerm(NamedTuple):
    """``word=value``. ``place``: None, if it was given by an option of its own."""

    word: str
    sign: str
    value: str
    place: FilterPlace | None = None

    @property
    def value_place(self) -> FilterPlace | None:
        if self.place is None:
            return None
        expression, start, stop = self.place
        head = f"{self.word}{self.sign}"
        # If the first half of a word is quoted too, its value does not stand by itself.
        is_plain = expression.startswith(head, start) and start + len(head) < stop
        return FilterPlace(expression, start + len(head), stop) if is_plain else self.place

    def wrong(self, reason: str) -> WrongFilter:
        return WrongFilter(reason, self.place)

    def wrong_value(self, reason: str, part: str = "") -> WrongFilter:
        """``part``: the one of several values that is wrong."""
        return WrongFilter(reason, self.value_place and self.value_place.of(part))


def words_of(
    expression: str, refuse: Callable[[str, FilterPlace], None] | None = None
) -> Iterator[FilterWord]:
    """As a shell takes them apart. Raises WrongFilter for a quotation mark without an end, unless ``refuse`` is given and called instead:
    what is being typed has none yet."""
    text, start, quote, opened, at = "", -1, "", 0, 0
    while at < len(expression):
        one, following = expression[at], expression[at + 1 : at + 2]
        if not quote and one in BLANKS:
            if start >= 0:
                yield FilterWord(text, FilterPlace(expression, start, at))
            text, start = "", -1
        else:
            start = at if start < 0 else start
            if one == quote:
                quote = ""
            elif not quote and one in QUOTES:
                quote, opened = one, at
            elif one == "\\" and following and (not quote or (quote == '"' and following in '"\\')):
                text += following
                at += 1
            else:
                text += one
        at += 1
    if quote:
        (refuse or _raise)(
            f"the quotation mark {quote} is opened here and not closed; close the quotation mark",
            FilterPlace(expression, opened, len(expression)),
        )
    if start >= 0:
        yield FilterWord(text, FilterPlace(expression, start, len(expression)))


def _raise(reason: str, place: FilterPlace) -> None:
    raise WrongFilter(reason, place)


def drawn(place: FilterPlace) -> str:
    """The filter, or what of it stands around the place, and below a caret for each wrong character."""
    expression, start, stop = place
    first = max(0, min(start - BEFORE_CHARS, len(expression) - SHOWN_CHARS))
    last = min(len(expression), first + SHOWN_CHARS)
    before, wrong = _line(expression[first:start]), _line(expression[start : min(stop, last)])
    behind = _line(expression[min(stop, last) : last])
    head, tail = "…" if first else "", "…" if last < len(expression) else ""
    carets = "^" * max(1, _columns(wrong))
    return f"  {head}{before}{wrong}{behind}{tail}\n  {' ' * (len(head) + _columns(before))}{carets}"


def _line(text: str) -> str:
    """A column of the line below for each of its characters: none may end the line or colour it."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _columns(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(unicodedata.combining(one) != 0 for one in text)
