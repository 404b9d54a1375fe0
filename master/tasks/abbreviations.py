"""Ids shortened as git's are: how many digits tell one from all others, and which tasks a beginning means. Reads only.

An array is one thing here, as in a listing: a shortened id does not tell its tasks from each other. A key that is bound to queues neither sees
tasks of others nor learns of them: they are passed over, and where there are too many of them to pass over, ids are not
shortened, and a short one means nothing, in the words for one that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from ...common.domain.id_text import (
    DIGITS,
    SHORT_DIGITS,
    TAIL_DIGITS,
    digits_to_tell,
    ids_that_begin,
    next_with_tail,
    show_short,
)
from ...common.domain.ids import show_id
from ..engine.engine import Engine
from ..engine.session import Session
from ..store.interface.lines import LinePart
from .neighbours import Neighbours, id_of
from .routes import Routes, within

PASSED_MAX: Final = 100  # arrays and tasks of others between an id and its neighbour
ENDS_MAX: Final = 200  # ids that end so are looked for
ENDS_SHOWN_MAX: Final = 4  # the same, to show an id so: else it is shown whole
READ_MAX: Final = 5_000  # of all that begin alike
CANDIDATES_MAX: Final = 8  # that are answered when several are meant


class Abbreviations:
    def __init__(self, engine: Engine, session: Session) -> None:
        self._store = engine.store
        self._is_within = within(engine.part(Routes), session)
        self._meanings = Meanings(engine, session)

    def short(self, id: bytes) -> str:
        """The id of a task as short as it may be written: its beginning, or its beginning and its end, or whole."""
        number = int.from_bytes(id, "big")
        digits = self.digits(number, number + 1)
        # Beyond that, beginning and end together are shorter.
        if digits <= SHORT_DIGITS + 4:
            return show_short(id, digits)
        for tail in TAIL_DIGITS:
            found = self._meanings.how_many(id, SHORT_DIGITS, tail)
            if found == 1:
                return show_short(id, SHORT_DIGITS, tail)
            if found is None:
                break
        return show_id(id)

    def digits(self, first: int | None, end: int | None) -> int:
        """How many digits tell the id ``first`` from all lower ones, and the one before ``end`` from all higher ones."""
        digits = SHORT_DIGITS
        if first is not None:
            below = self._store.parts_down(first)
            digits = max(digits, self._nearest(below, lambda part: part.end - 1, first))
        if end is not None:
            above = self._store.parts_up(end)
            digits = max(digits, self._nearest(above, lambda part: part.number, end - 1))
        return digits

    def _nearest(self, parts: Iterator[LinePart], edge: Callable[[LinePart], int], id: int) -> int:
        for _ in range(PASSED_MAX):
            part = next(parts, None)
            if part is None:
                return 0
            if self._is_within(part.route):
                return digits_to_tell(id, edge(part))
        # Too many of others in between: all digits, which are true whatever they have.
        return DIGITS


class _Meant(NamedTuple):
    """An array with what continues it, or a task."""

    first: int
    end: int
    route: int
    is_line: bool
    flow: int | None = None


class Meanings:
    """What the beginning of an id means."""

    def __init__(self, engine: Engine, session: Session) -> None:
        self._engine, self._store = engine, engine.store
        self._neighbours = Neighbours(engine.store, engine.part(Routes).plain_number)
        self._is_within = within(engine.part(Routes), session)

    def how_many(self, id: bytes, digits: int, tail: int) -> int | None:
        """How many tasks have ids that begin and end as this one; None: it takes too many looks to know."""
        text = id.hex()
        low, high = (int.from_bytes(id, "big") for id in ids_that_begin(text[:digits]))
        found = self._ending(low, high, text[-tail:], ENDS_SHOWN_MAX)
        return None if found is None else len(found)

    def answer(self, prefix: str, tail: str) -> dict[str, Any]:
        low, high = (int.from_bytes(id, "big") for id in ids_that_begin(prefix))
        found = self._ending(low, high, tail, ENDS_MAX) if tail else self._beginning(low, high)
        if found is None:
            return {"rows": [], "more": True}
        rows = [
            {"id": id_of(first), "tasks": end - first, "name": route.task, "queue": route.queue.name}
            for first, end, number, *_ in found
            for route in [self._engine.part(Routes).by_number[number]]
        ]
        return {"rows": rows[:CANDIDATES_MAX], "more": len(rows) > CANDIDATES_MAX}

    def _ending(self, low: int, high: int, tail: str, looks: int) -> list[_Meant] | None:
        """The tasks whose ids begin and end so; None: it takes more looks to know that there is but one."""
        found: list[_Meant] = []
        id = low
        for look in range(looks):
            id = next_with_tail(id, tail)
            part = next(self._store.parts_up(id), None)
            if part is None or part.number > high or len(found) > CANDIDATES_MAX:
                self._engine.work.looked(look)
                return found
            if part.number == id and self._is_within(part.route):
                found.append(_Meant(id, id + 1, part.route, False))
            # Over the gap at once: nothing is stored in it.
            id = max(id + 1, part.number)
        self._engine.work.looked(looks)
        return None

    def _beginning(self, low: int, high: int) -> list[_Meant] | None:
        """The arrays and tasks whose ids begin so; None: it takes more looks to know that there is but one."""
        found: list[_Meant] = []
        looked = 0
        for part in self._store.parts_up(low):
            if part.number > high or len(found) > CANDIDATES_MAX:
                break
            looked += 1
            if looked > READ_MAX:
                self._engine.work.looked(looked)
                return None
            if self._is_within(part.route):
                self._add(found, part)
        self._engine.work.looked(looked)
        return [one for line in found for one in self._opened(line, low, high)]

    def _add(self, found: list[_Meant], part: LinePart) -> None:
        is_line = not self._neighbours.is_alone(part)
        last = found[-1] if found else None
        if (
            is_line
            and last is not None
            and last.is_line
            and (last.end, last.route, last.flow) == (part.number, part.route, part.flow)
        ):
            found[-1] = last._replace(end=part.end)
        else:
            found.append(_Meant(part.number, part.end, part.route, is_line, part.flow))

    def _opened(self, one: _Meant, low: int, high: int) -> Iterator[_Meant]:
        """An array, if all of it begins so; else those of its tasks that do."""
        before = next(self._neighbours.down(one.first, one.route, one.flow), None) if one.is_line else None
        if before is None and one.end - 1 <= high:
            yield one
            return
        for first in range(one.first, min(one.end, high + 1, one.first + CANDIDATES_MAX + 1)):
            yield one._replace(first=first, end=first + 1)
