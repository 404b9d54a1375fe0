"""What can be written next in a filter that is being typed: words, signs, and values that there are. Pure.

Nothing is asked for here: who completes brings the values that are known.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ...common.domain.model import State
from ...common.domain.tags import ARGUMENT
from .where import TAG, WORDS
from .where_words import SIGNED, FilterPlace, FilterWord, words_of

HINTS_MAX: Final = 12  # more are not looked through
VALUE_CHARS_MAX: Final = 200  # a longer one does not help anybody who types
AGES: Final = ("10min", "1h", "6h", "1d", "7d")
SEVERAL: Final = ("state", "queue", "name", "error", "tenant", "host", "worker")  # take values by commas
MEANINGS: Final = {
    "state": "one of these states",
    "queue": "of this queue, or a glob",
    "name": "of this callable, or a glob",
    "error": "type of the failure",
    "since": "submitted within",
    "older": "submitted longer ago than",
    "tenant": "whose task it is",
    "host": "of the worker that has it, or had it last",
    "worker": "that worker",
    "flow": "part of this flow",
}
INSIDE: Final = {
    "name": "has it somewhere inside",
    "queue": "has it inside",
    "error": "in its type or message",
    "tenant": "has it inside",
    "host": "has it inside",
}

Known = Mapping[str, Iterable[str]]
"""Values by their word: ``queue``, ``name``, ``error``, ``tag.order``, …; those that matter most first. Of a mapping each with what a person
calls it."""


class Hint(NamedTuple):
    """``text`` takes the place of what is typed. ``meaning``: for a person. ``is_whole``: a blank follows, and the next word."""

    text: str
    meaning: str = ""
    is_whole: bool = False


class Hints(NamedTuple):
    """``start``, ``stop``: what the hints would replace."""

    start: int
    stop: int
    hints: list[Hint]


def hints(expression: str, at: int, known: Known) -> Hints:
    """For a cursor at this place."""
    words = list(words_of(expression, _ignored))
    word = next((one for one in words if one.place.start <= at <= one.place.stop), None)
    if word is None:
        word = FilterWord("", FilterPlace(expression, at, at))
    others = {match[1] for one in words if one is not word and (match := SIGNED.fullmatch(one.text))}
    # What stands before the cursor is what was typed; what stands behind it is replaced, too.
    typed = "".join(one.text for one in words_of(expression[word.place.start : at], _ignored))
    match = SIGNED.fullmatch(typed)
    found = _values(match[1], match[2], match[3], known) if match else _words(typed, others, known)
    here = expression[word.place.start : word.place.stop]
    return Hints(word.place.start, word.place.stop, [one for one in found if one.text != here][:HINTS_MAX])


def _words(typed: str, others: set[str], known: Known) -> list[Hint]:
    tags = [word for word in known if word.startswith((TAG, ARGUMENT))]
    found = [Hint(f"{word}=", MEANINGS[word]) for word in WORDS if word in MEANINGS]
    found += [Hint(f"{word}~", meaning) for word, meaning in INSIDE.items()]
    found += [
        Hint(f"{word}=", "this argument" if word.startswith(ARGUMENT) else "text of this tag")
        for word in tags
    ] or [Hint(TAG, "text of a tag")]
    free = [one for one in found if one.text[:-1] not in others]
    return _fitting(free, typed, lambda one: one.text)


def _values(word: str, sign: str, value: str, known: Known) -> list[Hint]:
    if sign not in ("=", "~"):
        return []
    head, comma, last = value.rpartition(",") if word in SEVERAL and sign == "=" else ("", "", value)
    taken = set(head.split(",")) if comma else set()
    values = (one for one in _known(word, known) if one not in taken and len(one) <= VALUE_CHARS_MAX)
    fitting = _fitting(values, last, str)
    about = known.get(word)
    meanings: Mapping[str, str] = about if isinstance(about, Mapping) else {}
    return [
        Hint(f"{word}{sign}{_quoted(head + comma + one)}", meanings.get(one, ""), is_whole=True)
        for one in fitting
    ]


def _known(word: str, known: Known) -> Iterable[str]:
    if word == "state":
        return tuple(State)
    if word in ("since", "older"):
        return AGES
    # A comma inside would be read as two values.
    return [one for one in known.get(word, ()) if "," not in one and one.isprintable()]


def _fitting(found: Iterable[Any], typed: str, text_of: Any) -> list[Any]:
    """Those that begin with it, then those that have it inside."""
    low = typed.casefold()
    texts = [(text_of(one).casefold(), one) for one in found]
    begin = [one for text, one in texts if text.startswith(low)]
    return begin + [one for text, one in texts if low in text and not text.startswith(low)]


def _quoted(value: str) -> str:
    # A glob or a tilde needs no quotes here, but would in a shell: the whole is quoted there.
    return shlex.quote(value) if any(one in value for one in " \t'\"\\") else value


def _ignored(reason: str, place: FilterPlace) -> None:
    """A quotation mark that is still open."""
