"""The line of lanes that have ready tasks, and which of them a worker is given next. Pure.

A lane whose tasks wait for nothing but a worker (a base lane) is not here: those are leased together, by one look at the store. The
others stand in one heap for each base lane and tenant, by the place of their first task (priority, then order of acceptance). ::

    something became ready ─► in line, place unknown ─► looked up when it comes to the front ─► chosen ─► leased from
                                     ▲                                                              │
                                     └────────────────── more is ready ◄────────────────────────────┘

So a lane is looked at only while it has work and comes to the front, whatever the number of lanes is. One that comes there while a limit has
no room for it leaves the line (see held.py).

A lane whose tasks ask for something of their worker (a *placed* lane, with ``key.needs``) stands in line, too, and is passed over where the
worker has no room for it. Of several that wait for the same worker the first one is given one task, so that their order is kept; if its tasks
run together (``coalesce=``), one call of them.

When there are several tenants, what is given is what has the highest priority, in the turns of the tenants (see turns.py). A choice costs
as many looks as it gives tasks, and one for each base lane with something in line, but none for each tenant that waits (tenant_lines.py).

Invariant: a lane with ready tasks is in line, was chosen and not yet put back, or is held back.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from ...common.domain.limit_parts import LimitHere
from .held import UNKNOWN, FirstOf, HeldLanes, Reserved
from .lines_in_turn import LANES_MAX, LinesInTurn
from .placements import Placements
from .route import READY, Capability, LanePlace, ParkedLease, Route, Tenant
from .tenant_lines import BaseLines, Line
from .turns import TenantTurns, shares

HELD_MAX: Final = 1_000  # lanes that one choice looks up, or finds without room
TOGETHER_MAX: Final = 1_000  # tasks in one answer of those that run together, but for one call of more
BASES_MAX: Final = 50  # base lanes that are looked at beside tenants


class Chosen(NamedTuple):
    lane: Route
    room: int  # at most so many of its tasks


@dataclass(slots=True)
class _Fit:
    """Of the choice under way: for which worker, whether several placed lanes wait for it, whether one of them is chosen, and whether a
    lane whose tasks run together is: it is the last one of an answer."""

    worker: int
    has_others: bool = False
    is_taken: bool = False
    is_together: bool = False


class NextLanes(NamedTuple):
    """``least``: none of a lower priority. ``is_together_first``: what runs together goes before all others; otherwise it is given what they
    leave of the call."""

    chosen: list[Chosen]
    least: int | None = None
    is_together_first: bool = False


class Lanes:
    def __init__(
        self,
        first_of: FirstOf,
        in_force: Callable[[str], LimitHere | None],
        placements: Placements,
        tenants: TenantTurns,
    ) -> None:
        """``first_of``: priority and number of the first ready task of a lane."""
        self._first_of, self._placements, self._tenants = first_of, placements, tenants
        self.looks = 0  # how often the store was asked for the first task of a lane
        self._readied = 0  # how often something of a placed lane became ready
        self._kept: tuple[int, int, int] | None = None  # of which state it is that workers are kept
        self.held = HeldLanes(in_force, first_of)
        self._lines: dict[Route, BaseLines] = {}
        self._capped: dict[Tenant, list[tuple[BaseLines, Line]]] = {}  # lines that are held until it has room
        self._left = self._stored = 0  # of a choice: lanes that it may look up, and leaves to the store
        self._fit = _Fit(0)

    def clear(self) -> None:
        self._lines.clear()
        self._capped.clear()
        self._kept = None
        self.held.clear()

    def ready(self, lane: Route, first: LanePlace = UNKNOWN) -> None:
        """Something of it became ready: it may have a better place now. ``first``: the place of what did."""
        if lane.held is not None:
            self.held.ready(lane)
        # One look is enough, however many of its tasks become ready; and none, if they come behind those that are there.
        elif lane.place is None or first < lane.place:
            self._put(lane, UNKNOWN)
        self._readied += bool(lane.key.needs)

    def struck(self, lane: Route) -> None:
        """An operator holds it back: it is out of the line, whatever it waits for besides."""
        lane.place = lane.held = None  # its entries stay in the heaps: without this place they do not count
        self._readied += bool(lane.key.needs)

    def left(self, lane: Route) -> None:
        """Something of it is ready no longer, and was not leased in its turn: if that came first, it has another place now."""
        self.held.left(lane)
        if lane.place is not None:
            self.ready(lane)

    def forget(self, base: Route) -> None:
        """A base lane is not there any more."""
        self._lines.pop(base, None)

    def _put(self, lane: Route, place: LanePlace) -> None:
        lane.place = place
        if (lines := self._lines.get(lane.base)) is None:
            lines = self._lines[lane.base] = BaseLines(lane.base)
        lines.put(lane, place)

    def have_work(self, capability: Capability) -> bool:
        """Whether some lane may have work for a call of these workers. Looks nothing up."""
        served = self._served(capability)
        return not all(one.base.key.needs for one in served) or bool(self._fitting(served, capability))

    def _served(self, capability: Capability) -> list[BaseLines]:
        """What is in line that these workers serve. Iterates over the smaller of the two sets."""
        lines: Iterable[BaseLines] = self._lines.values()
        if len(capability.routes) < len(self._lines):
            lines = [self._lines[base] for base in capability.routes if base in self._lines]
        return [one for one in lines if _serves(capability, one.base) and one.first() is not None]

    def _fitting(self, served: Iterable[BaseLines], capability: Capability) -> list[ParkedLease]:
        """The parked calls of workers that have room for something of these placed lanes, but for what is kept."""
        placed = tuple(one.base.number for one in served if one.base.key.needs)
        workers = self._placements.fitting(placed) if placed else ()
        return [one for one in capability.parked.values() if one.worker in workers] if workers else []

    def next_call(self, capability: Capability, now: int) -> ParkedLease | None:
        """The call of these workers that is served next, if some lane may have work for one. Those with room for what only some have room
        for come first."""
        served = self._served(capability)
        placed = [one.base.number for one in served if one.base.key.needs]
        for parked in self._fitting(served, capability):
            self.keep(now)
            if any(self._placements.room(parked.worker, base) for base in placed):
                return parked
        return next(iter(capability.parked.values()), None) if len(placed) < len(served) else None

    def keep(self, now: int) -> None:
        """Keep workers for those that fit nowhere, in the order of their first tasks."""
        state = self._placements.version, self._readied, sum(base.queue.paused for base in self._lines)
        # Nothing has changed that could move anyone: each call of a transaction asks for this.
        if self._kept == state:
            return
        self._left = HELD_MAX
        places: dict[Route, LanePlace] = {}
        for lines in [
            one for one in self._lines.values() if one.base.key.needs and not one.base.queue.paused
        ]:
            if (line := self._first_line(lines, now)) is not None:
                places[lines.base] = line.heap[0][0]
        waiting = sorted(places, key=lambda base: places[base])
        self._placements.keep_for((base.number, base.capabilities) for base in waiting)
        self._kept = state

    def freed(self, tenant: Tenant) -> None:
        """A tenant may have room by now, or is forgotten: its lines are not held any more."""
        for lines, line in self._capped.pop(tenant, ()):
            lines.free(line)

    def tenant_changed(self, name: str) -> None:
        """Something else is set for a tenant from now on."""
        if (tenant := self._tenants.changed(name)) is not None:
            self.freed(tenant)

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
        self._left, self._stored = HELD_MAX, 0
        want, room = parked.want, self._placements.room
        served = [
            one
            for one in self._served(capability)
            if not one.base.key.needs or room(parked.worker, one.base.number)
        ]
        self._fit = _Fit(parked.worker, has_others=_have_placed(served, 2))
        if _are_turns(served, bases):
            return self._by_turns(served, bases, want, now)
        chosen: list[Chosen] = []
        self._take(chosen, [line for one in served for line in one.by_tenant.values()], want, now, Reserved())
        is_first = self._fit.is_together and _goes_first(chosen, bases[:BASES_MAX], self._first_of)
        self.looks += len(bases[:BASES_MAX]) if self._fit.is_together else 0
        return NextLanes([*(Chosen(base, want) for base in bases), *chosen], None, is_first)

    def _take(
        self,
        chosen: list[Chosen],
        lines: Sequence[Line],
        want: int,
        now: int,
        reserved: Reserved,
        rank: int | None = None,
    ) -> int:
        """Choose from these lines lanes for so many tasks; how many they may give. ``rank``: only those that begin with it."""
        giving = lanes = 0
        for lane in self._in_order(lines, now, self._fit):
            # A lower priority: put back, for another tenant may have something of the higher one.
            if rank is not None and lane.place is not None and lane.place.rank != rank:
                self._put(lane, lane.place)
                break
            # In turns no tenant is chosen for more than its share: of too many the store would take the oldest, whosever they are.
            most = want if rank is None else want - giving
            most = _of_calls(lane, most) if lane.runs_together else most
            room = min(most, lane.ready, self.held.room(lane, now, reserved))
            if lane.key.needs and room:
                fits = self._placements.room(self._fit.worker, lane.number)
                room = min(room, fits) if lane.runs_together or not self._fit.has_others else 1
                self._fit.is_taken = True
            chosen.append(Chosen(lane, room))  # 0: what others are to have leaves it no room
            self.held.reserve(lane, room, reserved)
            giving, lanes = giving + -(-room // lane.key.coalesce[0]), lanes + (room > 0)
            self._stored += lane.is_in_store
            # The last one of an answer: its tasks become calls, which other tasks are no part of.
            if lane.runs_together and room:
                self._fit.is_together = True
                break
            if lanes == want or self._stored >= LANES_MAX or (rank is not None and giving >= want):
                break
        return giving

    def _by_turns(
        self, served: Iterable[BaseLines], bases: Sequence[Route], want: int, now: int
    ) -> NextLanes:
        """The same, by the turns of tenants. What has none is a tenant's, too: that without a name."""
        # Base lanes are in no line: each is a look, hence the bound.
        first = [(self._first_of(base.number), base) for base in bases[:BASES_MAX]]
        plain = sorted((LanePlace(-found[0], found[1]), base.number, base) for found, base in first if found)
        lines = LinesInTurn(partial(self._first_line, now=now), served)
        # They have the turn of the tenant without a name.
        if plain:
            lines.add(plain[0][0].rank, plain[0][2].tenant)
        chosen: list[Chosen] = []
        if (rank := lines.rank) is None or self._left <= 0:
            return NextLanes(chosen)
        of_tenant = lines.of_rank(rank, want)
        reserved = Reserved()
        for tenant, share in zip(of_tenant, shares(list(of_tenant), want), strict=True):
            left = share
            for place, _, base in plain if not tenant.name else ():
                if left and place.rank == rank:
                    chosen.append(Chosen(base, min(left, base.counts[READY])))
                    left -= chosen[-1].room
                    self._stored += 1
            if left and self._stored < LANES_MAX and not self._fit.is_together:
                self._take(chosen, of_tenant[tenant], left, now, reserved, rank)
        lines.put_back()
        return NextLanes(chosen, -rank)

    def _first_line(self, lines: BaseLines, now: int) -> Line | None:
        """The line whose turn it is, when its first lane has work and room and its place is known. None: nothing is in line, or the choice
        has looked at enough."""
        while self._left > 0 and (line := lines.first()) is not None:
            # Out of line, not passed over: every choice would look at it again.
            if line.tenant.is_full:
                lines.hold(line)
                self._capped.setdefault(line.tenant, []).append((lines, line))
                self._left -= 1
                continue
            place, _, lane = line.heap[0]
            # Compared by identity: an entry of the heap is old when its lane has another place by now.
            if place.is_known and lane.place is place and lane.ready > 0 and not lane.may_be_held:
                return line  # mostly
            if (found := self._next(line, now)) is not None and found.place is not None:
                self._put(found, found.place)
                return line
            self._left -= 1
        return None

    def put_back(self, chosen: Iterable[Chosen], leased: Mapping[int, int]) -> None:
        """``leased``: how many tasks were leased, by the number of their lane."""
        taken = Counter[Tenant]()
        for lane, _ in chosen:
            if tasks := leased.get(lane.number, 0):
                taken[lane.tenant] += tasks
                lane.company_until = None
            # A base lane: those are leased from without a line.
            if not lane.is_in_line:
                continue
            if lane.ready > 0 and lane.place is not None:
                self._put(lane, _place_now(lane, self._first_of) if tasks else lane.place)
            else:
                lane.place = None
        self._tenants.took(taken)

    def _in_order(self, lines: Sequence[Line], now: int, fit: _Fit) -> Iterator[Route]:
        """Lanes with work and room, taken out of their lines, by the place of their first task. ``fit``: one placed lane is enough."""
        left = [line for line in lines if line.heap]
        while left and self._left > 0:
            # The order of those that wait for a worker is kept by giving it one at a time, see the module's docstring.
            if fit.is_taken and any(line.base.key.needs for line in left):
                left = [line for line in left if not line.base.key.needs]
                continue
            line = min(left, key=_place)
            lane = self._next(line, now)
            # Only what was passed over counts: what is chosen is bounded by the want.
            self._left -= lane is None
            if not line.heap:
                left = [one for one in left if one.heap]
            if lane is not None:
                yield lane

    def _next(self, line: Line, now: int) -> Route | None:
        """The first lane of a line; None: what stood there has moved, has no work, or is held back."""
        place, number, lane = heapq.heappop(line.heap)
        if lane.place is not place:
            return None  # it stands elsewhere in line
        first = None
        if lane.ready > 0 and lane.is_in_line:  # that of a queue which went by another order until now is not
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


def _of_calls(lane: Route, calls: int) -> int:
    """How many tasks so many calls are of those that run together: whole ones, or what there is of one. Where something bounds how many
    may start, one."""
    one = lane.key.coalesce[0]
    if lane.key.limits or lane.key.needs or lane.tenant.max_running is not None:
        return one
    return one * max(1, min(calls, lane.ready // one, TOGETHER_MAX // one))


def _goes_first(chosen: Sequence[Chosen], bases: Sequence[Route], first_of: FirstOf) -> bool:
    """Whether the last one that is chosen, whose tasks run together, is before all others by its place."""
    place = chosen[-1].lane.place
    if place is None or any(one.room for one in chosen[:-1]):
        return False
    found = [first for base in bases if (first := first_of(base.number)) is not None]
    return all(place < LanePlace(-priority, seq) for priority, seq in found)


def _place(line: Line) -> LanePlace:
    return line.heap[0][0]


def _place_now(lane: Route, first_of: FirstOf) -> LanePlace:
    """Where it stands when its first tasks are gone: known, if that takes no look at the store."""
    first = None if lane.is_in_store else first_of(lane.number)
    return UNKNOWN if first is None else LanePlace(-first[0], first[1])


def _serves(capability: Capability, base: Route) -> bool:
    return capability in base.capabilities and not base.queue.paused


def _have_placed(served: Iterable[BaseLines], count: int) -> bool:
    """Whether so many placed lanes are in line."""
    placed = (
        line for one in served if one.base.key.needs for line in one.by_tenant.values() if not line.is_held
    )
    return sum(len(line.heap) for line in islice(placed, count)) >= count


def _are_turns(served: Iterable[BaseLines], bases: Sequence[Route]) -> bool:
    """Whether tenants take turns here: there are several, or one may have no room. What is in no line is of the one without a name."""
    tenants = {tenant for one in served for tenant in islice(one.by_tenant, 2)}
    return (
        len(tenants) > 1
        or (bool(bases) and any(tenant.name for tenant in tenants))
        or any(tenant.max_running is not None for tenant in tenants)
    )
