"""Which known name a mistyped one probably means. Pure, and of bounded cost whatever the names are."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

NAMES_MAX: Final = 500  # looked at
CHARS_MAX: Final = 80  # longer names are not compared
EDITS_MAX: Final = 2  # letters inserted, left out, exchanged or swapped: more is another name


def likely_name(name: str, known: Iterable[str]) -> str | None:
    """The name among ``known`` that is at most EDITS_MAX letters away, or else one of the same function in another module."""
    same_function = None
    function = name.rpartition(":")[2]
    for one in islice(known, NAMES_MAX):
        if one == name or max(len(one), len(name)) > CHARS_MAX:
            continue
        if _is_within(one.lower(), name.lower(), EDITS_MAX):
            return one
        if one.rpartition(":")[2] == function:
            same_function = same_function or one
    return same_function


def _is_within(one: str, other: str, edits: int) -> bool:
    """Whether so many edits make one of the other. Each edit branches four times: that is little, as there are two."""
    if abs(len(one) - len(other)) > edits:
        return False
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if same is None:
        return True
    if not edits:
        return False
    one, other = one[same:], other[same:]
    swapped = one[:2] == other[1::-1] and _is_within(one[2:], other[2:], edits - 1)
    return (
        swapped
        or _is_within(one[1:], other[1:], edits - 1)
        or _is_within(one[1:], other, edits - 1)
        or _is_within(one, other[1:], edits - 1)
    )
