"""Where a list goes on, as an address of the page has it: a number, or the places of several shards (``client/core/pages.py``). Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from ..common.errors import InvalidArgument

SHARDS_MARK: Final = "s"  # in front of places of shards; a number has none
CHARS_MAX: Final = 100_000  # of 4,096 shards


def text_of(place: Any) -> str:
    """Of a number, or of what a list of several shards has answered."""
    return str(place) if isinstance(place, int) else SHARDS_MARK + json.dumps(place, separators=(",", ":"))


def place_of(text: str) -> Any:
    """Raises InvalidArgument for what is neither."""
    try:
        if text.startswith(SHARDS_MARK) and len(text) <= CHARS_MAX:
            place = json.loads(text[len(SHARDS_MARK) :])
            if isinstance(place, list):
                return place
        elif text.isascii() and text.isdigit():
            return int(text[:19])
    except (ValueError, RecursionError):
        pass
    raise InvalidArgument("the address names no place in the list; start from its beginning")
