"""Lanes that a strike holds back: they stand outside of the line, so that however much waits there is in no other task's way.

To compare all lanes with a strike takes longer than one transaction has time for: it is done in portions, and the operator's call is
answered after the last one. Until then what was not compared is still handed out. A strike on arguments or tags is compared with the tasks of
those lanes that it may hold a part of, in the same way: see struck_tasks.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from ...common.domain.globs import STEPS_OF_ROW, glob
from ...common.domain.model import NAME_CHARS_MAX
from ...common.domain.strikes import verdict
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
from .struck_tasks import StruckTasks, TaskWalk, lane_facts

GLANCES_MAX: Final = 40_000  # in one transaction: fifty milliseconds
LANE_GLANCES: Final = 3  # to compare a lane with a condition of names
PORTION: Final = 50  # lanes that are one item of a long call
STEPS_MAX: Final = 20  # of a walk over tasks in one transaction, each of which may take
STEP_ROWS: Final = GLANCES_MAX // GLANCES // STEPS_MAX  # so many rows

Portion = list[int]  # numbers of lanes


class StruckLanes(Part):
    def __init__(self, routes: Routes, strikes: Strikes, tasks: StruckTasks, long_calls: LongCalls) -> None:
        self._routes, self._strikes, self._tasks, self._long_calls = routes, strikes, tasks, long_calls
        routes.lane_listeners.append(self._made)
        strikes.lanes = self

    def load(self, picture: Picture, now: Now) -> None:
        for lane in self._routes if self._strikes.by_number else ():
            self._made(lane)

    def go_on(self, now: Now) -> None:
        for number, strike in self._strikes.on_tasks.items():
            if strike.row.comparing and not self._strikes.is_compared(number):
                self._compare_tasks(None, strike, now)

    def _made(self, lane: Route) -> None:
        for number, strike in self._strikes.by_number.items():
            self._compare(lane, number, strike)

    def _compare(self, lane: Route, number: int, strike: Strike) -> None:
        is_mixed = lane.key.is_mixed  # its tasks take the turns of their own lanes
        found = verdict(strike.condition, lane_facts(lane), of_many=is_mixed)
        if strike.tags and found is None and number not in lane.asks:
            lane.asks = (*lane.asks, number)
        is_held = found is True or number in lane.key.strikes
        if is_held and not is_mixed and number not in lane.struck:
            self._strike(lane, number)

    def found_by(self, condition: Condition) -> dict[str, bool]:
        return self._tasks.found_by(condition)

    def hold(self, call: Call, strike: Strike, now: Now) -> object:
        if strike.tags:
            return self._compare_tasks(call, strike, now) if strike.row.comparing else None
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

    def _portions(self) -> list[Portion]:
        """The numbers of all lanes: after a failed transaction there are other objects of them."""
        lanes = list(self._routes.by_number)
        return [lanes[start : start + PORTION] for start in range(0, len(lanes), PORTION)]

    def _lanes(self, portions: Sequence[Portion]) -> Iterator[Route]:
        """Those of them that are still here."""
        of_number = self._routes.by_number
        return (of_number[number] for portion in portions for number in portion if number in of_number)

    def _hold(self, number: int, portions: Sequence[Portion], now: Now) -> None:
        strike = self._strikes.by_number.get(number)
        if strike is None:
            return  # removed meanwhile
        for lane in self._lanes(portions):
            self._compare(lane, number, strike)

    # what is compared task by task

    def _compare_tasks(self, call: Call | None, strike: Strike, now: Now) -> object:
        """First all lanes, then what is ready in those that ask."""
        number, walk = strike.row.number, object()
        self._strikes.comparing(number, walk)
        items: list[Portion | TaskWalk] = [*self._portions()]
        # One at least, which ends the comparison.
        items = items or [[]]
        do = partial(self._walk, number, walk, items)
        return self._long_calls.perform(
            call, items, do, now, most=STEPS_MAX, owner=("strike", number), grows=True
        )

    def _walk(
        self,
        number: int,
        walk: object,
        items: list[Portion | TaskWalk],
        some: Sequence[Portion | TaskWalk],
        now: Now,
    ) -> None:
        strike = self._strikes.by_number.get(number)
        if strike is None:
            return  # removed meanwhile
        is_last, left = items[-1] is some[-1], len(some) * STEP_ROWS
        todo = list(reversed(some))
        while todo and left > 0:
            one = todo.pop()
            if isinstance(one, TaskWalk):
                more, took = self._tasks.compare(one)
                todo += () if more is None else (more,)
                left -= took
            else:
                self._hold(number, [one], now)
                todo += (
                    TaskWalk(lane.number, in_arrays)
                    for lane in self._lanes([one])
                    for in_arrays in (False, True)
                    if number in lane.asks
                )
                left -= 1 + len(one) * _glances(strike.condition) // GLANCES
        # What there was no time for goes on behind the others. Of few items a transaction would do as few steps: it is filled up.
        items += reversed(todo)
        if todo:
            items += ([] for _ in range(STEPS_MAX - len(todo)))
        if is_last and not todo:
            self._strikes.compared(number, walk)

    def _release(self, number: int, portions: Sequence[Portion], now: Now) -> None:
        for lane in self._lanes(portions):
            if number in lane.asks:
                lane.asks = tuple(one for one in lane.asks if one != number)
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
            for number in {*lane.struck, *lane.asks}:
                before = found.get(number, StrikeTotals(0, 0))
                waiting = lane.ready if number in lane.struck else 0
                found[number] = StrikeTotals(before.lanes + 1, before.waiting + waiting)
        return found


def _glances(condition: Condition) -> int:
    """What it costs at most to compare a lane with it."""
    # The longest possible name: the bound must hold for each lane.
    name = "x" * NAME_CHARS_MAX
    steps = sum(glob(pattern).steps(name) for term in terms(condition) for pattern in term.values)
    return LANE_GLANCES + steps * GLANCES // STEPS_OF_ROW
