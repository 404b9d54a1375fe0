"""Which arrays are shown as one line: those whose ids follow one another. Reads only.

What a map submits arrives as arrays of at most a thousand tasks. Their ids are consecutive, but their numbers need not be: arrays of
other programs may come in between. A task that was accepted by itself belongs to the line when its id continues that of an
array: the first or the last one of a map may be alone in its call ::

    ids      ├─ array ─┤├─ array ─┤t├─ array ─┤                t     t t t … t
    lines    └────────────── one ─────────────┘               one   many, each by itself: a program that submits one by one

Up to LONE_MAX of these stand together; more of them are not part of a map. All tasks of a line have one route, and are of one flow or
of none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from ...common.domain.model import TASK_ID_BYTES
from ..store.interface.lines import LinePart
from ..store.interface.store import Store

LONE_MAX: Final = 16
PARTS_MAX: Final = 5_000  # are looked at to find where a range of ids is in the store


class Neighbours:
    def __init__(self, store: Store, plain: Callable[[int], int]) -> None:
        """``plain``: of the lane with a number, the number of its route."""
        self._store, self._plain = store, plain
        self._free = (
            0,
            0,
        )  # ids between which there is no array: most tasks of a long list are between the same two

    def is_alone(self, part: LinePart) -> bool:
        """Whether it is a task that belongs to no array's line."""
        if part.is_array:
            return False
        if self._is_far(part):
            return True
        self._free = self._store.between_arrays(part.number)
        if self._is_far(part):
            return True
        up, above = self._lone(self._store.parts_up(part.end), part, upwards=True)
        down, below = self._lone(self._store.parts_down(part.number), part, upwards=False)
        return len(up) + 1 + len(down) > LONE_MAX or not (above or below)

    def _is_far(self, part: LinePart) -> bool:
        """Whether it is known that no array is so near that the tasks between would belong to it."""
        low, high = self._free
        return low + LONE_MAX <= part.number and part.end + LONE_MAX <= high

    def is_newest(self, part: LinePart) -> bool:
        """Whether no part of its line has higher ids. It belongs to a line."""
        up, above = self._lone(self._store.parts_up(part.end), part, upwards=True)
        if len(up) > LONE_MAX:
            return bool(part.is_array)  # those above it belong to no line
        return not up and above is None

    def down(self, end: int, route: int, flow: int | None) -> Iterator[LinePart]:
        """The parts of the line that has the id before ``end``, from there down."""
        lone: list[LinePart] = []
        for part in self._store.parts_down(end):
            if part.end != end or not self._is_of(part, route, flow):
                break
            end = part.number
            if not part.is_array:
                lone.append(part)
                if len(lone) > LONE_MAX:
                    return
                continue
            yield from lone
            lone = []
            yield part
        yield from lone

    def _is_of(self, part: LinePart, route: int, flow: int | None) -> bool:
        return self._plain(part.route) == self._plain(route) and part.flow == flow

    def _lone(
        self, parts: Iterable[LinePart], start: LinePart, *, upwards: bool
    ) -> tuple[list[LinePart], LinePart | None]:
        """The tasks by themselves whose ids continue those of a part, up to one more than LONE_MAX, and the array behind them."""
        found: list[LinePart] = []
        edge = start.end if upwards else start.number
        for part in islice(parts, LONE_MAX + 1):
            if (part.number if upwards else part.end) != edge:
                break
            if not self._is_of(part, start.route, start.flow):
                break
            if part.is_array:
                return found, part
            found.append(part)
            edge = part.end if upwards else part.number
        return found, None


class Numbers(NamedTuple):
    """Between which numbers tasks are. Equal: there are none."""

    lower: int
    upper: int
    parts: int  # were read to know


def numbers_between(store: Store, first: int, end: int) -> Numbers:
    """Of all tasks with these ids."""
    lower, upper, parts = 0, 0, 0
    for part in store.parts_down(end):
        if part.end <= first:
            break
        lower, upper = min(lower or part.seq, part.seq), max(upper, part.stop)
        parts += 1
        if parts > PARTS_MAX:
            # Given up: between these is every task, and the caller looks at them all.
            return Numbers(0, 1 << 62, parts)
    return Numbers(lower, upper, parts)


def id_of(number: int) -> bytes:
    return number.to_bytes(TASK_ID_BYTES, "big")
