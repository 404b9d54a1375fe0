"""``tq.Unique``: of tasks that are the same by a key, one is accepted and what becomes of the next one is said. Pure.

A task conflicts with the last one of its queue, name and key that was accepted, as long as that is in one of ``states`` and was submitted
within ``period``. The other kinds of holding back repeated submits are this rule with other words:

===========  ====================================================================================================
debounce     ``Unique(by=…, states=("scheduled",), on_conflict="replace")`` with ``delay=5``: the last call within 5 s runs
cooldown     ``Unique(by=…, period=60, states=tq.Unique.ANY)``: no second one within a minute, however the first has ended
cache=60     ``Unique(by=…, states=(*tq.Unique.OPEN, "succeeded"), fresh=60)``: one that has succeeded counts for a minute more
===========  ====================================================================================================
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief
from .durations import DELAY_SECONDS_MAX, check_number
from .expressions import check_key, expression
from .model import State, StateNumber
from .text_columns import TextColumn

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
            ``Unique.WAITING`` (the default with ``"replace"``) while it waits, ``Unique.ANY`` as long as it is kept, or a list of states.
        on_conflict: ``"return"`` the handle of the other one; ``"replace"`` it, which waits, and which is cancelled; ``"skip"``:
            submit returns None; ``"raise"`` TaskConflict.
        fresh: Seconds, or a timedelta: one that has succeeded is a conflict for so long after its end, if ``succeeded`` is one of
            ``states``. None: as long as it is kept.
    """

    by: str | None = None
    period: float | datetime.timedelta | None = None
    states: Collection[str] = ()
    on_conflict: str = RETURN
    fresh: float | datetime.timedelta | None = None

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
        for name in ("period", "fresh"):
            given = getattr(self, name)
            seconds = given.total_seconds() if isinstance(given, datetime.timedelta) else given
            check_number(name, seconds, 0.001, DELAY_SECONDS_MAX, none=True)
            object.__setattr__(self, name, seconds)
        # A text is a collection of letters for Python.
        if isinstance(self.states, str):
            shown = brief(self.states)
            raise InvalidArgument(f"states={shown}: write a list, states=[{shown}]")
        # What runs cannot be replaced: it has begun to do something.
        usual = WAITING if self.on_conflict == REPLACE else OPEN
        states = tuple(str(State.parse(one)) for one in self.states) or usual
        object.__setattr__(self, "states", states)
        if self.fresh is not None and State.SUCCEEDED not in states:
            raise InvalidArgument(
                f"fresh={self.fresh:g} says how long a task that has succeeded is a conflict, and states has no 'succeeded'; write "
                "states=(*tq.Unique.OPEN, 'succeeded')"
            )
        if self.on_conflict == REPLACE and not set(states) <= set(WAITING):
            raise InvalidArgument(
                f"on_conflict='replace' cancels a task that waits, and {', '.join(sorted(set(states) - set(WAITING)))} does not wait; "
                f"use some of states={WAITING}, or another on_conflict"
            )


class UniqueTerms(NamedTuple):
    """``key``: of one task, or of several as a column (columns.py) travels. ``states``: bit n is set for the state with number n.
    ``fresh_ms``: how long after its end one that has succeeded is a conflict; None: as long as it is kept."""

    key: Any
    states: int
    period_ms: int | None
    on_conflict: str
    fresh_ms: int | None = None

    def has(self, state: int) -> bool:
        return bool(self.states >> state & 1)

    @classmethod
    def from_wire(cls, given: Any) -> UniqueTerms:
        """Raises InvalidArgument."""
        match given:
            case [key, int() as states, period, str() as on_conflict, *fresh] if (
                type(states) is int
                and 0 < states < MASKS_MAX
                and on_conflict in ON_CONFLICT
                and len(fresh) <= 1
            ):
                if type(key) is not list:  # a column is judged with its tasks
                    check_key("unique", key)
                for name, ms in (("period", period), ("fresh", fresh[0] if fresh else None)):
                    check_number(name, ms, 1, DELAY_SECONDS_MAX * 1000, whole=True, none=True)
                return cls(key, states, period, on_conflict, *fresh)
        raise InvalidArgument(
            f"unique is [key, bits of states, milliseconds or nil, on_conflict, milliseconds or nil], not {brief(given, 80)}"
        )

    def to_wire(self) -> list[Any]:
        # Left out where there is none: only a cache has one.
        return list(self if self.fresh_ms is not None else self[:-1])


def cached(seconds: float | datetime.timedelta | bool, by: str | None) -> Unique:
    """``cache=``: a submit that is the same gets the task that waits or runs, or has succeeded so lately. True: as long as it is kept.
    Raises InvalidArgument."""
    if seconds is not True and (
        isinstance(seconds, bool) or not isinstance(seconds, int | float | datetime.timedelta)
    ):
        raise InvalidArgument(
            f"cache={brief(seconds)}: write for how many seconds a result is returned, cache=3600, or cache=True for as long as it is kept"
        )
    try:
        return Unique(by=by, states=(*OPEN, State.SUCCEEDED), fresh=None if seconds is True else seconds)
    except InvalidArgument as error:
        # In the words that the user has written.
        said = str(error).partition("\n")[0].replace("fresh", "cache", 1)
        raise InvalidArgument(said if by is None else said.replace("by=", "cache_by=", 1)) from None


def terms_of(unique: Unique, key: Any) -> UniqueTerms:
    """What travels with a task that has this key, or with several that have these."""
    states = _bits_of(tuple(unique.states))
    return UniqueTerms(key, states, _ms(unique.period), unique.on_conflict, _ms(unique.fresh))


@functools.lru_cache(maxsize=256)  # each call that submits some asks for those of its task
def _bits_of(states: tuple[str, ...]) -> int:
    # A set: a state that is named twice must count once in a sum.
    return sum(1 << State(one).number for one in set(states))


def _ms(given: float | datetime.timedelta | None) -> int | None:
    seconds = given.total_seconds() if isinstance(given, datetime.timedelta) else given
    return None if seconds is None else int(seconds * 1000)


def wire_of_many(unique: Unique, keys: Sequence[str]) -> list[Any]:
    """What travels with tasks of one call that have these keys, in their order."""
    column = TextColumn.of(keys)
    codes = column.codes or (0,) * len(keys)
    return terms_of(unique, [list(column.texts), list(codes)]).to_wire()
