"""Lanes that a strike holds back: they stand outside of the line, so that however much waits there is in no other task's way.

To compare all lanes with a strike takes longer than one transaction has time for: it is done in portions, and the operator's call is
answered after the last one. Until then what was not compared is still handed out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from ...common.domain.globs import STEPS_OF_ROW, glob
from ...common.domain.model import NAME_CHARS_MAX
from ...common.domain.strikes import facts_of, holds
from ...common.domain.where import Condition, terms
from ..engine.clock import Now
from ..engine.long_calls import LongCalls
from ..engine.part import Part
from ..engine.session import Call
from ..engine.work import GLANCES
from ..store.interface.store import Picture
from ..strikes.strikes import Strike, Strikes, StrikeTotals
from .route import Route
from .routes import Routes

GLANCES_MAX: Final = 40_000  # in one transaction: fifty milliseconds
LANE_GLANCES: Final = 3  # to compare a lane with a condition of names
PORTION: Final = 50  # lanes that are one item of a long call


class StruckLanes(Part):
    def __init__(self, routes: Routes, strikes: Strikes, long_calls: LongCalls) -> None:
        self._routes, self._strikes, self._long_calls = routes, strikes, long_calls
        routes.lane_listeners.append(self._made)
        strikes.lanes = self

    def load(self, picture: Picture, now: Now) -> None:
        for lane in self._routes if self._strikes.by_number else ():
            self._made(lane)

    def _made(self, lane: Route) -> None:
        if not self._strikes.by_number or lane.key.is_mixed:
            return  # tasks of mixed arrays take the turns of their own lanes
        facts = _facts(lane)
        for number, strike in self._strikes.by_number.items():
            if number not in lane.struck and holds(strike.condition, facts):
                self._strike(lane, number)

    def hold(self, call: Call, strike: Strike, now: Now) -> object:
        do = partial(self._hold, strike.row.number)
        most = GLANCES_MAX // (PORTION * _glances(strike.condition))
        # One at least: a condition of many long patterns may cost more than a portion's share.
        return self._long_calls.perform(call, self._portions(), do, now, most=max(1, most))

    def release(self, call: Call | None, number: int, now: Now) -> object:
        most = GLANCES_MAX // (PORTION * LANE_GLANCES)
        # The row is gone by now, so a lane that is made meanwhile is not held, and each lane is let go once.
        return self._long_calls.perform(
            call, self._portions(), partial(self._release, number), now, most=most
        )

    def _portions(self) -> list[list[int]]:
        """The numbers of all lanes: after a failed transaction there are other objects of them."""
        lanes = list(self._routes.by_number)
        return [lanes[start : start + PORTION] for start in range(0, len(lanes), PORTION)]

    def _lanes(self, portions: Sequence[Sequence[int]]) -> Iterator[Route]:
        """Those of them that are still here."""
        of_number = self._routes.by_number
        return (of_number[number] for portion in portions for number in portion if number in of_number)

    def _hold(self, number: int, portions: Sequence[Sequence[int]], now: Now) -> None:
        strike = self._strikes.by_number.get(number)
        if strike is None:
            return  # removed meanwhile
        for lane in self._lanes(portions):
            if number not in lane.struck and not lane.key.is_mixed and holds(strike.condition, _facts(lane)):
                self._strike(lane, number)

    def _release(self, number: int, portions: Sequence[Sequence[int]], now: Now) -> None:
        for lane in self._lanes(portions):
            if number in lane.struck:
                self._lift(lane, number)

    def _strike(self, lane: Route, number: int) -> None:
        # Only by the first strike: a second one finds it out of the line.
        if not lane.struck:
            self._routes.lanes.struck(lane)
        lane.struck = (*lane.struck, number)

    def _lift(self, lane: Route, number: int) -> None:
        lane.struck = tuple(one for one in lane.struck if one != number)
        # Another strike may hold it still.
        if not lane.struck and lane.ready:
            self._routes.is_ready(lane)

    def totals(self) -> dict[int, StrikeTotals]:
        found: dict[int, StrikeTotals] = {}
        for lane in self._routes:
            for number in lane.struck:
                before = found.get(number, StrikeTotals(0, 0))
                found[number] = StrikeTotals(before.lanes + 1, before.waiting + lane.ready)
        return found


def _facts(lane: Route) -> dict[str, str]:
    keys = {name: key for name, key, _ in lane.key.limits}
    return facts_of(lane.queue.name, lane.task, lane.key.tenant, keys)


def _glances(condition: Condition) -> int:
    """What it costs at most to compare a lane with it."""
    # The longest possible name: the bound must hold for each lane.
    name = "x" * NAME_CHARS_MAX
    steps = sum(glob(pattern).steps(name) for term in terms(condition) for pattern in term.values)
    return LANE_GLANCES + steps * GLANCES // STEPS_OF_ROW
