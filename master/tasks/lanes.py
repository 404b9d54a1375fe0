"""The line of lanes that have ready tasks, and which of them a worker is given next. Pure.

A lane whose tasks wait for nothing but a worker (a base lane) is not here: those are leased together, by one look at the store. The
others stand in one heap for each base lane and tenant, by the place of their first task (priority, then order of acceptance). ::

    something became ready ─► in line, place unknown ─► looked up when it comes to the front ─► chosen ─► leased from
                                     ▲                                                              │
                                     └────────────────── more is ready ◄────────────────────────────┘

So a lane is looked at only while it has work and comes to the front, whatever the number of lanes is. One that comes there while a limit has
no room for it leaves the line (see held.py).

A lane whose tasks ask for something of their worker (a *placed* lane, with ``key.needs``) stands in line, too, and is passed over where the
worker has no room for it. Of several that wait for the same worker the first one is given one task, so that their order is kept.

When there are several tenants, what is given is what has the highest priority, in the turns of the tenants (see turns.py).

Invariant: a lane with ready tasks is in line, was chosen and not yet put back, or is held back.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ...common.domain.limits import Limit
from .held import UNKNOWN, Entry, FirstOf, HeldLanes, Reserved
from .placements import Placements
from .route import READY, Capability, LanePlace, ParkedLease, Route
from .turns import TenantTurns

LANES_MAX: Final = 32  # that are leased from together: of more the store is asked again
HELD_MAX: Final = 1_000  # lanes that one choice finds without room
BASES_MAX: Final = 50  # base lanes that are looked at beside tenants


class Line(NamedTuple):
    """Lanes that the same workers serve, of one tenant."""

    base: Route
    tenant: str


class Chosen(NamedTuple):
    lane: Route
    room: int  # at most so many of its tasks


@dataclass(slots=True)
class _Fit:
    """Of the choice under way: for which worker, whether several placed lanes wait for it, and whether one of them is chosen."""

    worker: int
    has_others: bool = False
    is_taken: bool = False


class NextLanes(NamedTuple):
    """``least``: none of a lower priority."""

    chosen: list[Chosen]
    least: int | None = None


class Lanes:
    def __init__(
        self, first_of: FirstOf, in_force: Callable[[str], Limit | None], placements: Placements
    ) -> None:
        """``first_of``: priority and number of the first ready task of a lane."""
        self._first_of, self._placements = first_of, placements
        self.looks = 0  # how often the store was asked for the first task of a lane
        self._readied = 0  # how often something of a placed lane became ready
        self._kept: tuple[int, int, int] | None = None  # of which state it is that workers are kept
        self.held = HeldLanes(in_force, first_of)
        self._lines: dict[Line, list[Entry]] = {}
        self._turns = TenantTurns()
        self._fit = _Fit(0)

    def clear(self) -> None:
        self._lines.clear()
        self._kept = None
        self.held.clear()

    def ready(self, lane: Route) -> None:
        """Something of it became ready: it may have a better place now."""
        if lane.held is not None:
            self.held.ready(lane)
        elif lane.place != UNKNOWN:
            self._put(lane, UNKNOWN)
        self._readied += bool(lane.key.needs)

    def left(self, lane: Route) -> None:
        """Something of it is ready no longer, and was not leased in its turn: if that came first, it has another place now."""
        if lane.place is not None:
            self.ready(lane)

    def _put(self, lane: Route, place: LanePlace) -> None:
        lane.place = place
        line = self._lines.setdefault(Line(lane.base, lane.key.tenant), [])
        heapq.heappush(line, (place, lane.number, lane))

    def have_work(self, capability: Capability) -> bool:
        """Whether some lane may have work for a call of these workers. Looks nothing up."""
        lines = self._served(capability)
        return not all(line.base.key.needs for line in lines) or bool(self._fitting(lines, capability))

    def _served(self, capability: Capability) -> list[Line]:
        return [line for line in self._lines if _serves(capability, line.base)]

    def _fitting(self, lines: Iterable[Line], capability: Capability) -> list[ParkedLease]:
        """The parked calls of workers that have room for something of these placed lanes, but for what is kept."""
        placed = tuple(dict.fromkeys(line.base.number for line in lines))
        workers = self._placements.fitting(placed) if placed else ()
        return [one for one in capability.parked.values() if one.worker in workers] if workers else []

    def next_call(self, capability: Capability, now: int) -> ParkedLease | None:
        """The call of these workers that is served next, if some lane may have work for one. Those with room for what only some have room
        for come first."""
        lines = self._served(capability)
        placed = [line for line in lines if line.base.key.needs]
        for parked in self._fitting(placed, capability):
            self.keep(now)
            if any(self._placements.room(parked.worker, line.base.number) for line in placed):
                return parked
        return next(iter(capability.parked.values()), None) if len(placed) < len(lines) else None

    def keep(self, now: int) -> None:
        """Keep workers for those that fit nowhere, in the order of their first tasks."""
        paused = sum(line.base.queue.paused for line in self._lines)
        state = self._placements.version, self._readied, paused
        if self._kept == state:
            return
        places: dict[Route, LanePlace] = {}
        for line in [one for one in self._lines if one.base.key.needs and not one.base.queue.paused]:
            if (place := self._first_place(line, now)) is not None:
                places[line.base] = min(place, places.get(line.base, place))
        waiting = sorted(places, key=lambda base: places[base])
        self._placements.keep_for((base.number, base.capabilities) for base in waiting)
        self._kept = state

    def wake(self, now: int) -> None:
        """Have lanes in line again for which there is room by now."""
        for lane, place in self.held.wake(now):
            self._put(lane, place)
            self._readied += bool(lane.key.needs)

    def choose(
        self, capability: Capability, bases: Sequence[Route], parked: ParkedLease, now: int
    ) -> NextLanes:
        """The lanes with the first tasks for this worker, as many as it wants, as far as limits and it have room. They are out of the line
        until ``put_back``. ``bases``: the base lanes with work."""
        self.keep(now)
        want, room = parked.want, self._placements.room
        lines = self._served(capability)
        lines = [one for one in lines if not one.base.key.needs or room(parked.worker, one.base.number)]
        waiting = sum(len(self._lines[one]) for one in lines if one.base.key.needs)
        self._fit = _Fit(parked.worker, has_others=waiting > 1)
        tenants = {line.tenant for line in lines}
        if len(tenants) > 1 or (bases and tenants != {""}):
            return self._by_turns(lines, bases, want, now)
        chosen: list[Chosen] = []
        self._take(chosen, lines, want, now, Reserved())
        return NextLanes([*(Chosen(base, want) for base in bases), *chosen])

    def _take(
        self,
        chosen: list[Chosen],
        lines: list[Line],
        want: int,
        now: int,
        reserved: Reserved,
        rank: int | None = None,
    ) -> int:
        """Choose from these lines lanes for so many tasks; how many they may give. ``rank``: only those that begin with it."""
        giving = lanes = 0
        for lane in self._in_order(lines, now, self._fit):
            if rank is not None and lane.place is not None and lane.place.rank != rank:
                self._put(lane, lane.place)
                break
            room = min(want, lane.counts[READY], self.held.room(lane, now, reserved))
            if lane.key.needs and room:
                fits = self._placements.room(self._fit.worker, lane.number)
                room = 1 if self._fit.has_others else min(room, fits)
                self._fit.is_taken = True
            chosen.append(Chosen(lane, room))  # 0: what others are to have leaves it no room
            self.held.reserve(lane, room, reserved)
            giving, lanes = giving + room, lanes + (room > 0)
            if lanes == want or len(chosen) >= LANES_MAX or (rank is not None and giving >= want):
                break
        return giving

    def _by_turns(self, lines: list[Line], bases: Sequence[Route], want: int, now: int) -> NextLanes:
        """The same, by the turns of tenants. What has none is a tenant's, too: that without a name."""
        of_tenant: dict[str, list[Line]] = {}
        places: dict[str, LanePlace] = {}
        for line in lines:
            if (place := self._first_place(line, now)) is not None:
                of_tenant.setdefault(line.tenant, []).append(line)
                places[line.tenant] = min(place, places.get(line.tenant, place))
        first = [(self._first_of(base.number), base) for base in bases[:BASES_MAX]]
        plain = sorted((LanePlace(-found[0], found[1]), base.number, base) for found, base in first if found)
        if plain:
            places[""] = min(plain[0][0], places.get("", plain[0][0]))
        chosen: list[Chosen] = []
        if not places:
            return NextLanes(chosen)
        rank, reserved = min(place.rank for place in places.values()), Reserved()
        shares = self._turns.shares((one for one, place in places.items() if place.rank == rank), want)
        for tenant, share in shares.items():
            if len(chosen) >= LANES_MAX:
                break
            left = share
            for place, _, base in plain if tenant == "" else ():
                if left and place.rank == rank:
                    chosen.append(Chosen(base, min(left, base.counts[READY])))
                    left -= chosen[-1].room
            if left and tenant in of_tenant:
                left -= self._take(chosen, of_tenant[tenant], left, now, reserved, rank)
            if left < share:
                self._turns.served(tenant)
        return NextLanes(chosen, -rank)

    def _first_place(self, line: Line, now: int) -> LanePlace | None:
        """Of the first lane of a line that has work and room."""
        place, _, first = self._lines[line][0]
        if place.is_known and first.place is place and first.counts[READY] > 0 and not first.key.limits:
            return place  # mostly: there may be thousands of lines, and each is looked at for each choice
        for lane in self._in_order([line], now):
            if lane.place is not None:
                self._put(lane, lane.place)
            return lane.place
        return None

    def put_back(self, chosen: Iterable[Chosen], leased: Container[int]) -> None:
        """``leased``: the numbers of lanes from which something was leased."""
        for lane, _ in chosen:
            if not lane.is_in_line:
                continue
            if lane.counts[READY] > 0 and lane.place is not None:
                self._put(lane, UNKNOWN if lane.number in leased else lane.place)
            else:
                lane.place = None

    def _in_order(self, lines: Iterable[Line], now: int, fit: _Fit | None = None) -> Iterator[Route]:
        """Lanes with work and room, taken out of their lines, by the place of their first task. ``fit``: one placed lane is enough."""
        left = HELD_MAX
        names = {line: None for line in lines if line in self._lines}
        while left:
            if fit is not None and fit.is_taken:
                names = {line: None for line in names if not line.base.key.needs}
            if not names:
                break
            name = min(names, key=lambda one: self._lines[one][0])
            line = self._lines[name]
            lane = self._next(line, now)
            left -= lane is None
            if not line:
                del self._lines[name]
                del names[name]
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
            self.looks += 1
            first = self._first_of(number)
        lane.place = None
        if first is not None:
            self._put(lane, LanePlace(-first[0], first[1]))
        return None


def _serves(capability: Capability, base: Route) -> bool:
    return capability in base.capabilities and not base.queue.paused
