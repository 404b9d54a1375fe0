"""Which functions of an App declare a limit of the same name: they share it, so they have to say the same of it. Pure.

A program in which two of them differ would change the limit with each submit, to and fro. ``by`` and ``units`` are of a task and may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...common.domain.limits import Limit
from ...common.errors import InvalidArgument

Place = tuple[str, str]  # of a function: module, and name in it


class SharedLimits:
    def __init__(self) -> None:
        self._declared: dict[str, dict[Place, Limit]] = {}  # by the name of the limit
        self._seen: set[Place] = set()

    def declare(self, function: Callable[..., Any], limits: Iterable[Limit]) -> None:
        """A function is made a task. Raises InvalidArgument."""
        place = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
        # Of a module that is loaded again, or a cell that is run again, the others still say what was there before.
        is_again = place in self._seen
        for limit in limits:
            by_place = self._declared.setdefault(limit.name, {})
            others = ((other, said) for other, said in by_place.items() if said != limit.terms())
            found = None if is_again else next(others, None)
            if found is not None:
                raise _refusal(limit, *found)
            by_place[place] = limit.terms()
        self._seen.add(place)


def _refusal(limit: Limit, other: Place, said: Limit) -> InvalidArgument:
    return InvalidArgument(
        f"limit {limit.name!r}: {_bounds(limit)} here, and {_bounds(said)} at {other[1]}: tasks share a limit by its name. Make it once, "
        f"{_variable(limit.name)} = tq.Limit({limit.name!r}, …), and write limits=[{_variable(limit.name)}] for both, or give one of them another name"
    )


def _bounds(limit: Limit) -> str:
    fields = [(name, getattr(limit, name)) for name in ("max_running", "rate", "burst")]
    return ", ".join(f"{name}={value!r}" for name, value in fields if value is not None)


def _variable(name: str) -> str:
    return name if name.isidentifier() else "limit"
