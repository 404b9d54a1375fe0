"""Limits: how many tasks of a name may run at once, and how many may start in a time. Pure.

A limit is known by its name to the whole cluster: tasks that name the same one share it. With ``by`` each key has the limit for
itself. What is counted, and when, is the master's; here stands what may be written down, and how it travels. ``limit_parts.py`` says what
each of several shards has of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from ..errors import InvalidArgument
from ..values.brief import brief
from .expressions import expression
from .model import check_name

MAX_RUNNING_MAX: Final = 1_000_000  # at once; more is no limit
RATE_TASKS_MAX: Final = 1_000_000  # in one unit of time
BURST_MAX: Final = 1_000_000
LIMITS_OF_TASK_MAX: Final = 8  # each is looked at whenever a task of it may start
UNITS_MAX: Final = 1_000_000  # of one task
BURST_MS: Final = 100  # what a rate brings in this time may start together, if no burst is given
RATES_KEPT: Final = 1_000  # different ones that are read once, some hundred kilobytes
_UNITS_MS: Final = {"s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_RATE: Final = re.compile(r"([0-9]{1,10})/([a-z]{1,10})")


class LimitRate(NamedTuple):
    """So many tasks, or units of them, in so many milliseconds."""

    tasks: int
    ms: int

    @property
    def burst(self) -> int:
        """How many may start together when no burst is given: those of BURST_MS, at least one."""
        return max(1, self.tasks * BURST_MS // self.ms)


def rate_of(text: object) -> LimitRate:
    """``"100/min"``, ``"5/s"``. Raises InvalidArgument."""
    if not isinstance(text, str):
        raise _no_rate(text)
    return _read_rate(text)


@lru_cache(RATES_KEPT)
def _read_rate(text: str) -> LimitRate:
    """Kept, for the master asks several times for each key that something starts under. What is refused is not kept, however large it is."""
    found = _RATE.fullmatch(text)
    if found is None or found[2] not in _UNITS_MS or not 1 <= int(found[1]) <= RATE_TASKS_MAX:
        raise _no_rate(text)
    return LimitRate(int(found[1]), _UNITS_MS[found[2]])


def _no_rate(given: object) -> InvalidArgument:
    return InvalidArgument(
        f"rate={brief(given)} is not a rate; write a whole number from 1 to {RATE_TASKS_MAX:,}, and per what: "
        f"rate='100/min', one of {', '.join('/' + unit for unit in _UNITS_MS)}"
    )


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on tasks, shared by all tasks that name it, in the whole cluster.

    Attributes:
        name: Its name: tasks with a limit of the same name share it.
        max_running: How many may run at once. None: any number.
        rate: How many may start in a time: a whole number, and ``/s``, ``/min``, ``/h`` or ``/d``. None: any number.
        burst: How many may start together after a pause, from 1; it needs a rate. None: what the rate brings in a tenth of a
            second, at least one.
        by: An expression, such as ``"{domain}"``: each key that it gives for the arguments of a task has the limit for itself.
            None: all tasks have it together.
        units: How many a task counts for, in what may run at once and in the rate, from 1.
    """

    name: str
    max_running: int | None = None
    rate: str | None = None
    burst: int | None = None
    by: str | None = None
    units: int = 1

    def __post_init__(self) -> None:
        check_name("limit", self.name)
        what = f"limit {self.name!r}"
        if self.max_running is None and self.rate is None:
            raise InvalidArgument(
                f"{what} says nothing; write tq.Limit({self.name!r}, max_running=3), rate='100/min', or both"
            )
        if self.max_running is not None:
            _check_count(what, "max_running", self.max_running, MAX_RUNNING_MAX)
        if self.rate is not None:
            rate_of(self.rate)
        if self.burst is not None:
            if self.rate is None:
                raise InvalidArgument(
                    f"{what}: burst={brief(self.burst)} takes a rate; write rate='100/min' too"
                )
            _check_count(what, "burst", self.burst, BURST_MAX)
        if self.by is not None and not expression("by", self.by).parameters:
            raise InvalidArgument(
                f"{what}: by={self.by!r} has no parameter, so all tasks would have one key; write by='{{customer}}', or leave it out"
            )
        _check_count(what, "units", self.units, UNITS_MAX)
        most = self.most_units
        if self.units > most:
            raise InvalidArgument(
                f"{what}: units={self.units:,}, and no more than {most:,} may ever be used at once, so that no task could start; "
                f"raise max_running or burst to {self.units:,}"
            )

    @property
    def most_units(self) -> int:
        """What a single task may count for at most: more could never start."""
        most = [count for count in (self.max_running, self.most_together) if count is not None]
        return min(most)

    @property
    def tokens(self) -> LimitRate | None:
        """Its rate as numbers."""
        return None if self.rate is None else _read_rate(self.rate)

    @property
    def most_together(self) -> int | None:
        """How many units its rate lets start together."""
        tokens = self.tokens
        return None if tokens is None else self.burst or tokens.burst

    def terms(self) -> Limit:
        """Without ``by`` and ``units``, which are of a task: what is shared under the name."""
        return Limit(self.name, self.max_running, self.rate, self.burst)

    def to_wire(self) -> dict[str, Any]:
        """What is shared under the name."""
        given = {"name": self.name, "max_running": self.max_running, "rate": self.rate, "burst": self.burst}
        return {name: value for name, value in given.items() if value is not None}


def limit_from_wire(given: Any, units: Any = 1) -> Limit:
    """``units``: of the tasks of a submit. Raises InvalidArgument with the field that is wrong."""
    if not isinstance(given, Mapping) or "name" not in given:
        raise InvalidArgument(f"a limit is a map of its fields, with a name, not {brief(given, 80)}")
    for name in given:
        if name not in _TRAVELS:
            raise InvalidArgument(f"a limit has no {brief(name, 80)}; it has {', '.join(_TRAVELS)}")
    return Limit(**given, units=units)


def laid_over(declared: Limit, edits: Mapping[str, Any]) -> Limit | None:
    """A limit with what an operator has changed of it; None: nothing bounds it any more. Raises InvalidArgument."""
    for name in edits:
        if name not in CHANGEABLE:
            raise InvalidArgument(f"of a limit {', '.join(CHANGEABLE)} can be changed, not {brief(name, 80)}")
    fields = {**{name: getattr(declared, name) for name in CHANGEABLE}, **edits}
    if fields["rate"] is None and edits.get("burst") is None:
        fields["burst"] = None  # goes with the rate that it was of
    if fields == dict.fromkeys(CHANGEABLE):
        return None
    return Limit(declared.name, **fields)


def still_laid_over(declared: Limit, edits: Mapping[str, Any]) -> Limit | None:
    """The same of edits that were made when something else was declared: a burst means nothing where there is no rate any more."""
    if edits.get("rate", declared.rate) is None:
        edits = {name: value for name, value in edits.items() if name != "burst"}
    return laid_over(declared, edits)


CHANGEABLE: Final = ("max_running", "rate", "burst")
_TRAVELS: Final = ("name", *CHANGEABLE)


def check_limits(given: object) -> tuple[Limit, ...]:
    """The option ``limits``: a list of tq.Limit, none of them twice. Raises InvalidArgument."""
    if isinstance(given, Limit) or not isinstance(given, list | tuple):
        raise InvalidArgument(
            f"limits={brief(given, 80)}: write a list, limits=[tq.Limit('smtp', max_running=3)]"
        )
    if len(given) > LIMITS_OF_TASK_MAX:
        raise InvalidArgument(f"limits: a task may have {LIMITS_OF_TASK_MAX}, not {len(given):,}")
    names: set[str] = set()
    for one in given:
        if not isinstance(one, Limit):
            raise InvalidArgument(
                f"limits has {brief(one, 80)}; write each as tq.Limit('smtp', max_running=3)"
            )
        if one.name in names:
            raise InvalidArgument(
                f"limits has {one.name!r} twice; write one tq.Limit with both, or give one of them another name"
            )
        names.add(one.name)
    return tuple(given)


def _check_count(what: str, name: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        zero = "; to let nothing run, pause the queue: tq pause QUEUE" if value == 0 else ""
        raise InvalidArgument(
            f"{what}: {name} is a whole number from 1 to {most:,}, not {brief(value)}{zero}"
        )
