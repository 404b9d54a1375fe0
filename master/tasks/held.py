"""Lanes that a limit holds back, or that wait for company: they stand outside of the line until there is room, or company. Pure.

::

    in line ─► no room under a limit ─► waits for that key of it ─► room ─► in line again, the first ones first
                                                  ▲                  │ an attempt ended, a token came, the limit was changed
                                                  └── still no room ◄┘

A permit is held by a lease: what runs is what the rows say, so nothing about it is remembered. Whatever ends a lease or gives it back moves
the task out of RUNNING, and by that one move (``Routes.move``, ``Routes.ended``) the permit is there again.

Tasks that run together (``coalesce=``) wait until there are as many as one call takes, at most for the time that their lane says, from the
moment in which a worker is free for them.

Invariant: a lane that is held back waits for a key that has no room, or for one that is looked at in the next ``wake``.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from typing import Final

from ...common.domain.limit_parts import LimitHere
from ..limits.permits import ANY_NUMBER, LimitKey, Permits
from .asking import Asking
from .route import LanePlace, Route

LOOKS_MAX: Final = 500  # lanes that one call looks up: some ten milliseconds
CAP: Final = ""  # in the place of a limit's name: the cap of the tenant
COMPANY: Final = " "  # the lane waits for tasks that run together with its own
UNKNOWN: Final = LanePlace(-(1 << 62), 0, is_known=False)
Entry = tuple[LanePlace, int, Route]  # numbers are unique, so that routes are never compared
Reserved = Counter[LimitKey]  # units that others of the same answer are to have
FirstOf = Callable[[int], tuple[int, int] | None]


class HeldLanes:
    def __init__(self, in_force: Callable[[str], LimitHere | None], first_of: FirstOf) -> None:
        """``first_of``: priority and number of the first ready task of a lane."""
        self.permits = Permits(in_force)
        self.asking: Asking | None = None  # who is served; None: none is served before others
        self._first_of = first_of
        self._waiting: dict[LimitKey, list[Entry]] = {}
        self._freed: dict[LimitKey, None] = {}  # may have room for some that wait
        self.times_freed = 0  # something of any key, or a limit was changed
        self.had_company = False  # some lane has waited for company
        self.is_behind = False  # the last ``wake`` has not looked at all that it was to look at
        self.timers: dict[
            LimitKey, int
        ] = {}  # the steady moments at which tokens come, not yet in the agenda

    def clear(self) -> None:
        for one in (self._waiting, self._freed, self.timers):
            one.clear()

    # permits

    def room(self, lane: Route, now: int, reserved: Reserved) -> int:
        """How many of its tasks may start now, under its limits and the cap of its tenant."""
        room = ANY_NUMBER
        if lane.tenant.max_running is not None:
            room = lane.tenant.room - reserved[CAP, lane.tenant.name]
        for name, key, units in lane.key.limits:
            free = self.permits.room_of((name, key), units, now)
            room = min(room, free + (-reserved[name, key] // units))
        room = max(0, room)
        is_bounded = bool(lane.key.limits) or lane.tenant.max_running is not None
        return self.asking.most(lane, room) if self.asking is not None and is_bounded else room

    def reserve(self, lane: Route, tasks: int, reserved: Reserved) -> None:
        reserved[CAP, lane.tenant.name] += tasks
        if self.asking is not None:
            self.asking.left -= tasks
        for name, key, units in lane.key.limits:
            reserved[name, key] += units * tasks

    def bounds_what_runs(self, lane: Route) -> bool:
        """Whether a limit or the cap of its tenant bounds how many of its tasks run."""
        limits = lane.key.limits
        return lane.tenant.max_running is not None or bool(limits and self.permits.bound_what_runs(limits))

    def take(self, lane: Route, tasks: int, now: int) -> None:
        """So many of its tasks were leased."""
        if lane.key.limits:
            self.permits.take(lane.key.limits, tasks, now)

    def give_back(self, lane: Route, tasks: int) -> None:
        """So many of its tasks are leased no longer."""
        self.permits.give_back(lane.key.limits, tasks)
        for name, key, _ in lane.key.limits:
            self.freed((name, key))

    # lanes that wait

    def hold(self, lane: Route, now: int) -> bool:
        """Take it out of the line; False: it has room, and company or no time left to wait for it."""
        if lane.runs_together and self._lacks_company(lane, now):
            return True
        for name, key, units in lane.key.limits:
            if self.permits.room_of((name, key), units, now):
                continue
            place = lane.place or UNKNOWN
            lane.place, lane.held = place, (name, key)
            heapq.heappush(self._waiting.setdefault((name, key), []), (place, lane.number, lane))
            self._expect((name, key, units), now)
            return True
        return False

    def _lacks_company(self, lane: Route, now: int) -> bool:
        """Have it wait for so many tasks as may run together, or until the first of them have waited long enough for others."""
        calls, ms = lane.key.coalesce
        if lane.company_until is None:
            lane.company_until = now + ms
        if lane.ready >= calls or now >= lane.company_until:
            return False
        self.had_company = True
        lane.held = (COMPANY, str(lane.number))
        lane.place = lane.place or UNKNOWN
        self._waiting[lane.held] = [(lane.place, lane.number, lane)]
        self.timers[lane.held] = lane.company_until
        return True

    def _expect(self, term: tuple[str, str, int], now: int) -> None:
        """Have the key looked at when tokens come for so many units. Of permits it is looked at when some are given back."""
        moment = self.permits.ready_at([term], now)
        if moment is not None:
            self.timers[term[:2]] = max(moment, now + 1)

    def ready(self, lane: Route) -> None:
        """Something of a lane that is held back became ready: its place may be a better one."""
        if lane.held is not None and lane.held[0] == COMPANY:
            if lane.ready >= lane.key.coalesce[0]:
                self.freed(lane.held)
        elif lane.held is not None and lane.place != UNKNOWN:
            lane.place = UNKNOWN
            heapq.heappush(self._waiting[lane.held], (UNKNOWN, lane.number, lane))

    def left(self, lane: Route) -> None:
        """Something of it is ready no longer. If that was all, what comes next has not waited for company yet."""
        if lane.ready > 0:
            return
        lane.company_until = None
        if lane.held is not None and lane.held[0] == COMPANY:
            self.freed(lane.held)

    def freed(self, key: LimitKey) -> None:
        """There may be room for it now."""
        self.times_freed += 1
        if key in self._waiting:
            self._freed[key] = None

    def changed(self, name: str) -> None:
        """The limit holds otherwise from now on."""
        self.times_freed += 1
        for key in [key for key in self._waiting if key[0] == name]:
            self._freed[key] = None

    def wake(self, now: int) -> list[tuple[Route, LanePlace]]:
        """The lanes that are in line again, with their places: of each key as many as there is room for, and those that come first."""
        woken: list[tuple[Route, LanePlace]] = []
        left = LOOKS_MAX
        for key in list(self._freed):
            waiting = self._waiting[key]
            if key[0] == COMPANY:
                del self._waiting[key], self._freed[key]
                woken += self._with_company(key, waiting[0][2], now)
                continue
            room, units = self.permits.room_of(key, 1, now), 1
            is_full = not room
            while waiting and room > 0 and left and not is_full:
                lane = self._first(key, waiting)
                left -= 1
                if lane is None or lane.place is None:
                    continue
                units = _units(lane, key)
                if not self.permits.room_of(key, units, now):
                    is_full = True  # those behind it wait, too, so that it comes to its turn
                    break
                heapq.heappop(waiting)
                lane.held = None
                if not self.hold(lane, now):
                    woken.append((lane, lane.place))
                    room -= units
            if not waiting:
                del self._waiting[key], self._freed[key]
            elif is_full:
                del self._freed[key]
                self._expect((*key, units), now)
        self.is_behind = not left
        return woken

    def _with_company(self, key: LimitKey, lane: Route, now: int) -> list[tuple[Route, LanePlace]]:
        """A lane that is in line again, because there are enough tasks, or the time is over; none: it goes on waiting."""
        if lane.held != key:
            return []
        lane.held = None
        if lane.ready <= 0:
            lane.place = lane.company_until = None
        elif not self.hold(lane, now):
            return [(lane, UNKNOWN)]
        return []

    def _first(self, key: LimitKey, waiting: list[Entry]) -> Route | None:
        """The lane that comes first; None: what stood there has moved, or has no work."""
        place, number, lane = waiting[0]
        if lane.held != key or lane.place is not place:
            heapq.heappop(waiting)
            return None
        if place.is_known and lane.ready > 0:
            return lane
        heapq.heappop(waiting)
        first = self._first_of(number) if lane.ready > 0 else None
        if first is None:
            lane.held = lane.place = lane.company_until = None
        else:
            lane.place = LanePlace(-first[0], first[1])
            heapq.heappush(waiting, (lane.place, number, lane))
        return None


def _units(lane: Route, key: LimitKey) -> int:
    return next(units for name, text, units in lane.key.limits if (name, text) == key)
