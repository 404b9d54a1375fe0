"""What a task printed, with its colours: the sequences of a terminal that colour become elements, all others are shown as text. Pure."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup, escape

from ..common.runtime.cleaning import clean

SEQUENCE: Final = re.compile(r"\x1b\[([0-9;]{0,32})m")
SPANS_MAX: Final = 5_000  # of one text; what comes behind has no colour
NAMES: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
STYLES: Final = {1: "t-bold", 2: "t-dim", 3: "t-italic", 4: "t-line"}
ENDS: Final = {22: ("t-bold", "t-dim"), 23: ("t-italic",), 24: ("t-line",)}


def coloured(text: str) -> Markup:
    """The text, cleaned and escaped, in elements with the classes of its colours."""
    parts: list[Markup] = []
    colour, styles, place = "", dict[str, None](), 0
    for match in SEQUENCE.finditer(text):
        if len(parts) >= SPANS_MAX:
            break
        parts.append(_part(text[place : match.start()], colour, styles))
        place = match.end()
        colour = _applied(match[1], colour, styles)
    parts.append(_part(text[place:], colour, styles))
    return Markup("").join(parts)


def _part(text: str, colour: str, styles: dict[str, None]) -> Markup:
    shown = escape(clean(text))
    classes = " ".join(filter(None, (colour, *styles)))
    return Markup('<span class="{}">{}</span>').format(classes, shown) if classes and text else shown


def _applied(codes: str, colour: str, styles: dict[str, None]) -> str:
    """The colour after a sequence; ``styles`` is changed."""
    numbers = iter([int(code or 0) for code in codes.split(";")])
    for number in numbers:
        if number == 0:
            colour = ""
            styles.clear()
        elif number in STYLES:
            styles[STYLES[number]] = None
        elif number in ENDS:
            for style in ENDS[number]:
                styles.pop(style, None)
        elif 30 <= number <= 37 or 90 <= number <= 97:
            colour = f"t-{NAMES[number % 10]}"
        elif number == 39:
            colour = ""
        elif number in (38, 48):  # one of 256 colours, or any: its numbers are no codes of their own
            kind = next(numbers, None)
            for _ in range({5: 1, 2: 3}.get(kind or 0, 0)):
                next(numbers, None)
    return colour
