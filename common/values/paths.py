"""The place of something inside a value, as a reader can find it: ``argument items[3].when``.

A place is written out for a refusal only; otherwise most of the time of encoding a long list would be spent on places.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from .brief import brief

STEPS_SHOWN: Final = 6  # of a place that is deeper than any may be

Place = tuple[
    int, Any, Any
]  # how deep, the place of what it is in, and the step from there: an index, a Key, a name


class Key(NamedTuple):
    key: Any
    itself: bool = False  # it is not what stands below the key


def place(name: str) -> Place:
    """Of the whole value."""
    return 1, None, name


def written(place: Place, depth_max: int) -> str:
    steps: list[str] = []
    at: Place | None = place
    while at is not None:
        _, at, step = at
        steps.append(_step(step))
    steps.reverse()
    return "".join(steps if len(steps) <= depth_max else [*steps[:STEPS_SHOWN], "…"])


def _step(step: Any) -> str:
    if isinstance(step, str):
        return step
    if not isinstance(step, Key):
        return f"[{step}]"
    if type(step.key) is str and step.key.isidentifier() and not step.itself:
        return f".{step.key}"
    text = brief(step.key)
    return f"[key {text}]" if step.itself else f"[{text}]"
