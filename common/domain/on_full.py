"""What a submit does when its queue of tasks is full: the words that programs and calls say it with. Pure."""

from __future__ import annotations

from typing import Final

from ..errors import InvalidArgument
from ..values.brief import brief

WAIT: Final = "wait"
RAISE: Final = "raise"


def check_on_full(on_full: object) -> str:
    """Raises InvalidArgument for all but these two."""
    if on_full in (WAIT, RAISE):
        return str(on_full)
    raise InvalidArgument(f"on_full={brief(on_full)} is unknown; use {WAIT!r} or {RAISE!r}")
