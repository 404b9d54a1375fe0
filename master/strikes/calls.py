"""The object for strikes that every master exposes. ``master/tasks/calls.py`` has the rules of exposed objects, ``strikes.py`` the
behaviour.

``get_strikes()``. A strike may be on tasks of any queue: it takes a key of all queues to make one, and to see one.
"""

from __future__ import annotations

from typing import Any

from ...common.contract.exposed import exposed
from ...common.domain.model import Role
from ...common.domain.strikes import parse_strike
from ...common.errors import Forbidden
from ..api.validation import EngineObject, moment_after, validate_text, validate_whole
from ..engine.session import Call, NilOrLater
from .strikes import Strikes

NUMBER_MAX = 2**62


class StrikesObject(EngineObject):
    """``get_strikes()``"""

    @exposed(Role.VIEWER)
    def list(self, call: Call) -> list[dict[str, Any]]:
        """All strikes, with the tasks that each of them holds back."""
        _check_covers(call)
        totals, now = self._part.lanes.totals(), self.engine.now
        return [
            {
                "strike": number,
                "condition": one.row.condition,
                "reason": one.row.reason,
                "key": one.row.key,
                "since": now.shown(one.row.since),
                "until": None if one.row.until is None else now.shown(one.row.until),
                "lanes": totals[number].lanes if number in totals else 0,
                "waiting": totals[number].waiting if number in totals else 0,
                "comparing": one.row.comparing,
            }
            for number, one in self._part.by_number.items()
        ]

    @exposed(Role.ADMIN)
    def check(self, call: Call, condition: str) -> dict[str, bool]:
        """Raise what ``add`` refuses this condition with. Of each argument in it: whether some of the newest tasks that it may hold
        are found by that; empty, if there are none or it names no function."""
        _check_covers(call)
        self._part.check(validate_text("condition", condition))
        return self._part.lanes.found_by(parse_strike(condition))

    @exposed(Role.ADMIN)
    def add(self, call: Call, condition: str, reason: str = "", seconds: float | None = None) -> NilOrLater:
        """Hold tasks back, for so long or until ``remove``; answered when none of them is handed out any more. What runs goes on."""
        _check_covers(call)
        until = moment_after(self.engine.now, seconds)
        key = call.session.verifier.key_id
        strike = self._part.add(
            validate_text("condition", condition),
            validate_text("reason", reason),
            key,
            until,
            self.engine.now,
        )
        return self._part.lanes.hold(call, strike, self.engine.now)

    @exposed(Role.ADMIN)
    def remove(self, call: Call, strike: int | str) -> NilOrLater:
        """Let them run, by the number of a strike or its condition; answered when they stand in line again."""
        _check_covers(call)
        if isinstance(strike, str):
            named: int | str = validate_text("strike", strike)
        else:
            named = validate_whole("strike", strike, 1, NUMBER_MAX)
        number = self._part.drop(named, self.engine.now)
        return self._part.lanes.release(call, number, self.engine.now)

    @property
    def _part(self) -> Strikes:
        return self.engine.part(Strikes)


def _check_covers(call: Call) -> None:
    if call.session.verifier.queues:
        raise Forbidden(
            "a strike may hold back tasks of every queue, and this key may use some; ask for a key of all queues, or pause those: "
            "tq pause QUEUE"
        )
