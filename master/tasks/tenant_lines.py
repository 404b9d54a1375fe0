"""The lanes that the same workers serve, by tenant, and whose line is the first: by priority, then by the tenants' turns. Pure.

::

    base lane ─► marks, a heap: (priority, the tenant's last turn) ─► line of a tenant, a heap: the places of its lanes
                   ▲ put when a line has a better first place              ▲ put when a lane has one
                   └ renewed when it comes to the front and was passed by  └ dropped there when the lane has moved

Priority of a line and last turn of a tenant change without a look at the heaps. A mark is never above what it stands for, so one that is
renewed when it comes to the front finds its place: that is O(log n) for each change, whatever number of tenants waits.

A line whose tenant has as many running tasks as it may is *held*: it has no mark, and costs nothing, until the tenant has room.

Invariants: 1. a line with lanes has a mark, or is held, or between ``take`` and ``put_back``; 2. a mark is not above the priority and the turn of its line.
"""

from __future__ import annotations

import heapq
from typing import Final

from .held import Entry
from .route import LanePlace, Route, Tenant

SPARE: Final = 16  # entries that a heap may have besides twice those that count


class Line:
    """The lanes of one tenant, in a heap by their places; a lane that has moved is in it more than once."""

    __slots__ = ("base", "heap", "is_held", "mark", "most", "tenant")

    def __init__(self, base: Route, tenant: Tenant) -> None:
        self.base, self.tenant = base, tenant
        self.heap: list[Entry] = []
        self.mark: Mark | None = None
        self.is_held = False  # its tenant has no room: it has no mark until there is some
        self.most = SPARE  # entries, after which those of lanes that have moved are dropped

    @property
    def turn(self) -> tuple[int, int]:
        """What goes by turns: the priority of the first lane, and when its tenant was served last."""
        return self.heap[0][0].rank, self.tenant.last

    def put(self, lane: Route, place: LanePlace) -> None:
        heapq.heappush(self.heap, (place, lane.number, lane))
        # Rarely, and to twice what is left: amortized, a lane that moves costs O(log n).
        if len(self.heap) > self.most:
            self.heap = [one for one in self.heap if one[2].place is one[0]]
            heapq.heapify(self.heap)
            self.most = 2 * len(self.heap) + SPARE


Mark = tuple[tuple[int, int], int, Line]  # its turn, and a number that no other mark has


class BaseLines:
    """The lines of one base lane."""

    def __init__(self, base: Route) -> None:
        self.base = base
        self.by_tenant: dict[Tenant, Line] = {}
        self._marks: list[Mark] = []
        self._count = 0

    def put(self, lane: Route, place: LanePlace) -> None:
        line = self.by_tenant.get(lane.tenant)
        if line is None:
            line = self.by_tenant[lane.tenant] = Line(self.base, lane.tenant)
        line.put(lane, place)
        self._note(line)

    def _note(self, line: Line) -> None:
        turn = line.turn
        if line.is_held:
            return
        # Its mark is low enough to find it; it is renewed when it comes to the front.
        if line.mark is not None and line.mark[0] <= turn:
            return
        self._count += 1
        line.mark = turn, self._count, line
        heapq.heappush(self._marks, line.mark)
        # As for lanes: older marks of lines that have got better ones, of which nothing else would take the memory back.
        if len(self._marks) > 2 * len(self.by_tenant) + SPARE:
            self._marks = [mark for mark in self._marks if mark[2].mark is mark]
            heapq.heapify(self._marks)

    def first(self) -> Line | None:
        """The line whose turn it is, by the places that its lanes are said to have. None: nothing is in line."""
        while self._marks:
            mark = self._marks[0]
            line = mark[2]
            # By identity: an older mark of the same line is passed over.
            if line.mark is mark and line.heap and mark[0] == line.turn:
                return line
            heapq.heappop(self._marks)
            if line.mark is mark:
                line.mark = None
                self.put_back(line)
        return None

    def take(self, line: Line) -> None:
        """The first line is looked at: it is not the first one until it is put back."""
        heapq.heappop(self._marks)
        line.mark = None

    def hold(self, line: Line) -> None:
        """The first line is out of the way of the others until it is freed."""
        self.take(line)
        line.is_held = True

    def free(self, line: Line) -> None:
        line.is_held = False
        self.put_back(line)

    def put_back(self, line: Line) -> None:
        if line.heap:
            self._note(line)
        else:
            # Nothing is in line for it: no memory is kept for tenants that have come and gone.
            self.by_tenant.pop(line.tenant, None)
