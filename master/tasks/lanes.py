"""The line of lanes that have ready tasks, and which of them a worker is given next. Pure.

A lane whose tasks wait for nothing but a worker (a base lane) is not here: those are leased together, by one look at the store. The
others stand in one heap for each base lane, by the place of their first task (priority, then order of acceptance). ::

    something became ready ─► in line, place unknown ─► looked up when it comes to the front ─► chosen ─► leased from
                                     ▲                                                              │
                                     └────────────────── more is ready ◄────────────────────────────┘

So a lane is looked at only while it has work and comes to the front, whatever the number of lanes is.

Invariant: a lane with ready tasks is in line, or was chosen and not yet put back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final, NamedTuple

from .route import READY, Capability, LanePlace, Route

LANES_MAX: Final = 32  # that are leased from together: of more the store is asked again
UNKNOWN: Final = LanePlace(-(1 << 62), 0, is_known=False)
Entry = tuple[LanePlace, int, Route]  # numbers are unique, so that routes are never compared


class Chosen(NamedTuple):
    lane: Route
    room: int  # at most so many of its tasks


class Lanes:
    def __init__(self, first_of: Callable[[int], tuple[int, int] | None]) -> None:
        """``first_of``: priority and number of the first ready task of a lane."""
        self._first_of = first_of
        self._lines: dict[Route, list[Entry]] = {}  # by base lane

    def clear(self) -> None:
        self._lines.clear()

    def ready(self, lane: Route) -> None:
        """Something of it became ready: it may have a better place now."""
        if lane.place != UNKNOWN:
            self._put(lane, UNKNOWN)

    def _put(self, lane: Route, place: LanePlace) -> None:
        lane.place = place
        heapq.heappush(self._lines.setdefault(lane.base, []), (place, lane.number, lane))

    def have_work(self, capability: Capability) -> bool:
        """Whether some lane may have work for these workers."""
        return any(_serves(capability, base) for base in self._lines)

    def choose(self, capability: Capability, want: int) -> list[Chosen]:
        """The lanes with the first so many tasks for these workers. They are out of the line until ``put_back``."""
        chosen: list[Chosen] = []
        for lane in self._in_order(capability):
            chosen.append(Chosen(lane, want))
            if len(chosen) == min(want, LANES_MAX):
                break
        return chosen

    def put_back(self, chosen: Iterable[Chosen], leased: Container[int]) -> None:
        """``leased``: numbers of the lanes from which something was leased."""
        for lane, _ in chosen:
            if lane.counts[READY] > 0 and lane.place is not None:
                self._put(lane, UNKNOWN if lane.number in leased else lane.place)
            else:
                lane.place = None

    def _in_order(self, capability: Capability) -> Iterator[Route]:
        """Lanes with work, taken out of the line, by the place of their first task."""
        bases = [base for base in self._lines if _serves(capability, base)]
        while bases:
            base = min(bases, key=lambda one: self._lines[one][0])
            line = self._lines[base]
            lane = self._next(line)
            if not line:
                del self._lines[base]
                bases.remove(base)
            if lane is not None:
                yield lane

    def _next(self, line: list[Entry]) -> Route | None:
        """The first lane of a line; None: what stood there has moved, or has no work."""
        place, number, lane = heapq.heappop(line)
        if lane.place is not place:
            return None  # it stands elsewhere in line
        first = None
        if lane.counts[READY] > 0 and not place.is_known:
            first = self._first_of(number)
        elif lane.counts[READY] > 0:
            return lane
        lane.place = None
        if first is not None:
            self._put(lane, LanePlace(-first[0], first[1]))
        return None


def _serves(capability: Capability, base: Route) -> bool:
    return capability in base.capabilities and not base.queue.paused
