"""The line of lanes that have ready tasks, and which of them a worker is given next. Pure.

A lane whose tasks wait for nothing but a worker (a base lane) is not here: those are leased together, by one look at the store. The
others stand in one heap for each base lane, by the place of their first task (priority, then order of acceptance). ::

    something became ready ─► in line, place unknown ─► looked up when it comes to the front ─► chosen ─► leased from
                                     ▲                                                              │
                                     └────────────────── more is ready ◄────────────────────────────┘

So a lane is looked at only while it has work and comes to the front, whatever the number of lanes is. One that comes there while a limit has
no room for it leaves the line (see held.py).

Invariant: a lane with ready tasks is in line, was chosen and not yet put back, or is held back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Final, NamedTuple

from ...common.domain.limits import Limit
from .held import UNKNOWN, Entry, FirstOf, HeldLanes, Reserved
from .route import READY, Capability, LanePlace, Route

LANES_MAX: Final = 32  # that are leased from together: of more the store is asked again
HELD_MAX: Final = 1_000  # lanes that one choice finds without room


class Chosen(NamedTuple):
    lane: Route
    room: int  # at most so many of its tasks


class Lanes:
    def __init__(self, first_of: FirstOf, in_force: Callable[[str], Limit | None]) -> None:
        """``first_of``: priority and number of the first ready task of a lane."""
        self._first_of = first_of
        self.held = HeldLanes(in_force, first_of)
        self._lines: dict[Route, list[Entry]] = {}  # by base lane

    def clear(self) -> None:
        self._lines.clear()
        self.held.clear()

    def ready(self, lane: Route) -> None:
        """Something of it became ready: it may have a better place now."""
        if lane.held is not None:
            self.held.ready(lane)
        elif lane.place != UNKNOWN:
            self._put(lane, UNKNOWN)

    def _put(self, lane: Route, place: LanePlace) -> None:
        lane.place = place
        heapq.heappush(self._lines.setdefault(lane.base, []), (place, lane.number, lane))

    def have_work(self, capability: Capability) -> bool:
        """Whether some lane may have work for these workers."""
        return any(_serves(capability, base) for base in self._lines)

    def wake(self, now: int) -> None:
        """Have lanes in line again for which there is room by now."""
        for lane, place in self.held.wake(now):
            self._put(lane, place)

    def choose(self, capability: Capability, want: int, now: int) -> list[Chosen]:
        """The lanes with the first so many tasks for these workers, as far as limits have room. They are out of the line until
        ``put_back``."""
        chosen: list[Chosen] = []
        giving, reserved = 0, Reserved()
        for lane in self._in_order(capability, now):
            room = min(want, lane.counts[READY], self.held.room(lane, now, reserved))
            chosen.append(Chosen(lane, room))  # 0: what others are to have leaves it no room
            self.held.reserve(lane, room, reserved)
            giving += room > 0
            if giving == want or len(chosen) == LANES_MAX:
                break
        return chosen

    def put_back(self, chosen: Iterable[Chosen], leased: Container[int]) -> None:
        """``leased``: the numbers of lanes from which something was leased."""
        for lane, _ in chosen:
            if lane.counts[READY] > 0 and lane.place is not None:
                self._put(lane, UNKNOWN if lane.number in leased else lane.place)
            else:
                lane.place = None

    def _in_order(self, capability: Capability, now: int) -> Iterator[Route]:
        """Lanes with work and room, taken out of the line, by the place of their first task."""
        left = HELD_MAX
        bases = [base for base in self._lines if _serves(capability, base)]
        while bases and left:
            base = min(bases, key=lambda one: self._lines[one][0])
            line = self._lines[base]
            lane = self._next(line, now)
            left -= lane is None
            if not line:
                del self._lines[base]
                bases.remove(base)
            if lane is not None:
                yield lane

    def _next(self, line: list[Entry], now: int) -> Route | None:
        """The first lane of a line; None: what stood there has moved, has no work, or is held back."""
        place, number, lane = heapq.heappop(line)
        if lane.place is not place:
            return None  # it stands elsewhere in line
        first = None
        if lane.counts[READY] > 0:
            if self.held.hold(lane, now):
                return None
            if place.is_known:
                return lane
            first = self._first_of(number)
        lane.place = None
        if first is not None:
            self._put(lane, LanePlace(-first[0], first[1]))
        return None


def _serves(capability: Capability, base: Route) -> bool:
    return capability in base.capabilities and not base.queue.paused
