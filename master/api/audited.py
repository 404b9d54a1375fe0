"""What an audited call was done to, in words. Of its other arguments nothing is kept, and of a filter no value that a task was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ...common.domain.ids import show_id
from ...common.domain.model import StateNumber

TARGET_CHARS_MAX: Final = 200
OTHERS: Final = " and others"
SHOWN: Final = {
    "queues": "queue",
    "names": "name",
}  # terms of a filter whose values are no secrets, as people write them
HIDDEN: Final = "…"


def in_words(value: Any) -> str:
    """A name, a number, an id, a list of ids or a filter; anything else is a peer's mistake, and refused by the method."""
    match value:
        case str():
            text = value
        case bytes():
            text = show_id(value)
        case dict():
            text = " ".join(_terms(value)) or "all"
        case [first, *others]:
            text = _first_id(first) + (OTHERS if others or isinstance(first, list) else "")
        case int():
            text = str(value)
        case _:
            text = ""
    return text if len(text) <= TARGET_CHARS_MAX else text[: TARGET_CHARS_MAX - 1] + HIDDEN


def _first_id(one: Any) -> str:
    """Of an id, or of a run of them."""
    match one:
        case bytes() | [bytes(), *_]:
            return show_id(one if isinstance(one, bytes) else one[0])
    return ""


def _terms(filter: Mapping[Any, Any]) -> Iterator[str]:
    for term, value in filter.items():
        if term == "states" and isinstance(value, list):
            yield "state=" + ",".join(_state(one) for one in value)
        elif term in SHOWN and isinstance(value, list):
            yield f"{SHOWN[term]}={','.join(one for one in value if isinstance(one, str))}"
        elif isinstance(term, str):
            yield f"{term}={HIDDEN}"


def _state(number: Any) -> str:
    try:
        return str(StateNumber(number))
    except ValueError:
        return HIDDEN
