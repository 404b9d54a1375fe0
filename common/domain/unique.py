"""``tq.Unique``: of tasks that are the same by a key, one is accepted and what becomes of the next one is said. Pure.

A task conflicts with the last one of its queue, name and key that was accepted, as long as that is in one of ``states`` and was submitted
within ``period``. The other kinds of holding back repeated submits are this rule with other words:

===========  ====================================================================================================
debounce     ``Unique(by=…, states=("scheduled",), on_conflict="replace")`` with ``delay=5``: the last call within 5 s runs
cooldown     ``Unique(by=…, period=60, states=tq.Unique.ANY)``: no second one within a minute, however the first has ended
===========  ====================================================================================================
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief
from .durations import DELAY_SECONDS_MAX, check_number
from .expressions import check_key, expression
from .model import State, StateNumber

RETURN: Final = "return"
REPLACE: Final = "replace"
SKIP: Final = "skip"
RAISE: Final = "raise"
ON_CONFLICT: Final = (RETURN, REPLACE, SKIP, RAISE)
WAITING: Final = ("ready", "scheduled", "blocked")
OPEN: Final = (*WAITING, "running")
MASKS_MAX: Final = 1 << (max(StateNumber) + 1)


@dataclass(frozen=True, slots=True)
class Unique:
    """What becomes of a task when there is one with the same key in its queue already.

    Attributes:
        by: An expression, such as ``"{order}"``, that gives the key for the arguments of a task. None: all its arguments.
        period: Seconds, or a timedelta: one that was submitted longer ago is no conflict. None: however long ago it was.
        states: States in which the other one is a conflict: ``Unique.OPEN`` (the default) while it waits or runs,
            ``Unique.WAITING`` while it waits, ``Unique.ANY`` as long as it is kept, or a list of states.
        on_conflict: ``"return"`` the handle of the other one; ``"replace"`` it, if it waits; ``"skip"``: submit returns None;
            ``"raise"`` TaskConflict.
    """

    by: str | None = None
    period: float | datetime.timedelta | None = None
    states: Collection[str] = ()
    on_conflict: str = RETURN

    WAITING: ClassVar[tuple[str, ...]] = WAITING
    OPEN: ClassVar[tuple[str, ...]] = OPEN
    ANY: ClassVar[tuple[str, ...]] = tuple(map(str, State))

    def __post_init__(self) -> None:
        if self.by is not None:
            expression("by", self.by)
        if self.on_conflict not in ON_CONFLICT:
            raise InvalidArgument(
                f"on_conflict={brief(self.on_conflict)} is unknown; use one of {', '.join(ON_CONFLICT)}"
            )
        period = self.period
        seconds = period.total_seconds() if isinstance(period, datetime.timedelta) else period
        check_number("period", seconds, 0.001, DELAY_SECONDS_MAX, none=True)
        object.__setattr__(self, "period", seconds)
        if isinstance(self.states, str):
            shown = brief(self.states)
            raise InvalidArgument(f"states={shown}: write a list, states=[{shown}]")
        usual = WAITING if self.on_conflict == REPLACE else OPEN
        states = tuple(str(State.parse(one)) for one in self.states) or usual
        object.__setattr__(self, "states", states)
        if self.on_conflict == REPLACE and not set(states) <= set(WAITING):
            raise InvalidArgument(
                f"on_conflict='replace' cancels a task that waits, and {', '.join(sorted(set(states) - set(WAITING)))} does not wait; "
                f"use some of states={WAITING}, or another on_conflict"
            )


class UniqueTerms(NamedTuple):
    """``states``: bit n is set for the state with number n."""

    key: str
    states: int
    period_ms: int | None
    on_conflict: str

    def has(self, state: int) -> bool:
        return bool(self.states >> state & 1)

    @classmethod
    def from_wire(cls, given: Any) -> UniqueTerms:
        """Raises InvalidArgument."""
        match given:
            case [key, int() as states, period, str() as on_conflict] if (
                type(states) is int and 0 < states < MASKS_MAX and on_conflict in ON_CONFLICT
            ):
                check_key("unique", key)
                check_number("period", period, 1, DELAY_SECONDS_MAX * 1000, whole=True, none=True)
                return cls(key, states, period, on_conflict)
        raise InvalidArgument(
            f"unique is [key, bits of states, milliseconds or nil, on_conflict], not {brief(given, 80)}"
        )


def terms_of(unique: Unique, key: str) -> UniqueTerms:
    """What travels with a task that has this key."""
    mask = sum(1 << State(one).number for one in set(unique.states))
    period = unique.period
    seconds = period.total_seconds() if isinstance(period, datetime.timedelta) else period
    return UniqueTerms(key, mask, None if seconds is None else int(seconds * 1000), unique.on_conflict)
