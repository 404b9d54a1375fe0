"""Glob patterns that come from outside, compared with names in a time that is known beforehand. Pure.

``*`` is any text, ``?`` one character, ``[ab]``, ``[a-z]`` and ``[!ab]`` one of these, or one of all others: what fnmatch makes of
them, and upper case is not lower case. What stands between two stars has a fixed length, so its first place is the best one and
nothing is tried twice: however many stars there are, a comparison takes no more steps than the pattern has characters, times the
name's.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Final

STAR, ANY_ONE = "*", "?"
STEPS_OF_ROW: Final = 50_000  # characters compared with one another, while a row of the store is read


class _Run:
    """What stands between two stars: so many characters, each certain or one of some."""

    def __init__(self, parts: list[str]) -> None:
        self.size, self._text = len(parts), "".join(parts)
        self._some: re.Pattern[str] | None = None
        if any(part == ANY_ONE or len(part) > 1 for part in parts):
            expression = fnmatch.translate(self._text)  # of fixed length: there is nothing to go back to
            self._some = re.compile(expression[: expression.rindex(")") + 1])

    @property
    def is_certain(self) -> bool:
        return self._some is None

    def stands_at(self, name: str, place: int) -> bool:
        if self._some is None:
            return name.startswith(self._text, place)
        return self._some.match(name, place) is not None

    def find(self, name: str, start: int, end: int) -> int:
        """Its first place there; -1: none."""
        if self._some is None:
            return name.find(self._text, start, end)
        found = self._some.search(name, start, end)
        return found.start() if found is not None else -1


class Glob:
    """One pattern, taken apart."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        runs: list[_Run] = []
        parts = parts_of(pattern)
        for is_star, some in groupby(parts, lambda part: part == STAR):
            if not is_star:
                runs.append(_Run(list(some)))
        self._has_star = STAR in parts
        self._first = runs.pop(0) if runs and parts[0] != STAR else None
        self._last = runs.pop() if runs and parts[-1] != STAR else None
        self._middle = runs

    @property
    def is_name(self) -> bool:
        """Whether it fits one name, which is the pattern itself."""
        return not self._has_star and (self._first is None or self._first.is_certain)

    def fits(self, name: str) -> bool:
        if not self._has_star:
            size = 0 if self._first is None else self._first.size
            return len(name) == size and (self._first is None or self._first.stands_at(name, 0))
        start, end = 0, len(name)
        if self._first is not None:
            start = self._first.size
            if not self._first.stands_at(name, 0):
                return False
        if self._last is not None:
            end -= self._last.size
            if end < start or not self._last.stands_at(name, end):
                return False
        for run in self._middle:
            place = run.find(name, start, end)
            if place < 0:
                return False
            start = place + run.size
        return start <= end

    def steps(self, name: str) -> int:
        """What a comparison with this name takes at most."""
        return 1 + (len(name) if self.is_name else (1 + len(self.pattern)) * len(name))


@lru_cache(maxsize=4_096)
def glob(pattern: str) -> Glob:
    """The pattern, taken apart once."""
    return Glob(pattern)


def fits_any(name: str, patterns: Iterable[str]) -> bool:
    return any(glob(pattern).fits(name) for pattern in patterns)


def parts_of(pattern: str) -> list[str]:
    """A star, a question mark, a class in brackets or a character each, as fnmatch takes them apart."""
    parts: list[str] = []
    place = 0
    while place < len(pattern):
        end = place + 1
        if pattern[place] == "[":
            close = pattern.find("]", place + 3 if pattern[place + 1 : place + 2] == "!" else place + 2)
            end = close + 1 if close >= 0 else end
        parts.append(pattern[place:end])
        place = end
    return parts
