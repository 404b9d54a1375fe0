"""What a schedule says: which task is submitted, when, and what happens when that was missed or the last run has not ended. Pure.

A definition travels and is stored as a map of its fields. What an operator changes later is a map as well, laid over it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from ..errors import InvalidArgument
from ..values.brief import brief
from .columns import LaneColumns
from .durations import check_number
from .model import TaskOptions, check_name
from .recurrence import Cron, Interval, Recurrence, cron, interval

JITTER_SECONDS_MAX: Final = 24 * 3600.0
PAYLOAD_BYTES_MAX: Final = 64 * 1024  # of arguments: there are many schedules, and they are kept for years
MISFIRE: Final = {
    "latest": "of several moments that were missed the last one is made up for",
    "all": "all that were missed are made up for, at most 1,000",
    "skip": "what is more than a minute late is left out",
}
OVERLAP: Final = {
    "allow": "runs may overlap",
    "skip": "none begins while an earlier one has not ended",
    "queue": "it begins when the earlier one has ended",
    "cancel_running": "the earlier one is cancelled",
}


@dataclass(frozen=True, kw_only=True)
class ScheduleDefinition:
    """``cron`` or ``every`` (seconds). ``options``: of each task, as they travel with a submit. ``payload``: its arguments,
    encoded. ``columns``: the keys of their limits, their tenant and what is made of each that fails, as they travel. ``jitter``: each task starts up to so many seconds late, another number for each."""

    task: str
    queue: str = "default"
    cron: str | None = None
    every: float | None = None
    tz: str = "UTC"
    misfire: str = "latest"
    overlap: str = "allow"
    jitter: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""
    columns: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name("task", self.task)
        check_name("queue", self.queue)
        if (self.cron is None) == (self.every is None):
            raise InvalidArgument("a schedule has a rule: cron='0 3 * * *' or every=300, and not both")
        if self.cron is None:
            # As it will be used: two declarations that mean the same compare as equal.
            object.__setattr__(self, "every", interval(self.every).ms / 1000)
        else:
            cron(self.cron, self.tz)
        _one_of("misfire", self.misfire, MISFIRE)
        _one_of("overlap", self.overlap, OVERLAP)
        check_number("jitter", self.jitter, 0, JITTER_SECONDS_MAX)
        object.__setattr__(self, "jitter", float(self.jitter))
        if not isinstance(self.options, dict):
            raise InvalidArgument("options must be a map")
        if self.task_options.at is not None:
            raise InvalidArgument(
                "at= names one moment, and a schedule has its own: leave it out, or use delay="
            )
        if not isinstance(self.payload, bytes) or len(self.payload) > PAYLOAD_BYTES_MAX:
            raise InvalidArgument(
                f"the arguments of a schedule may have {PAYLOAD_BYTES_MAX // 1024} KiB; keep more where the task can read it"
            )

        if not isinstance(self.columns, dict):
            raise InvalidArgument("columns must be a map")
        # Only to be checked: they are stored as they travel.
        if self.columns:
            LaneColumns.from_wire(self.columns, 1)

    @functools.cached_property
    def recurrence(self) -> Recurrence:
        """When it is due."""
        if self.cron is not None:
            return Cron(self.cron, self.tz)
        return Interval(round((self.every or 0.0) * 1000))

    @functools.cached_property
    def task_options(self) -> TaskOptions:
        return TaskOptions.from_wire(self.options)

    @functools.cached_property
    def lane_columns(self) -> LaneColumns:
        return LaneColumns.from_wire(self.columns or None, 1)

    def to_wire(self) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        every = self.__dict__
        # What is a default is left out: one that is changed by a later version then holds for old schedules, too.
        return {name: every[name] for name in NAMES if name == "task" or every[name] != _DEFAULTS.get(name)}

    @classmethod
    def from_wire(cls, given: Any) -> ScheduleDefinition:
        """Raises InvalidArgument with the field that is wrong."""
        if not isinstance(given, dict) or "task" not in given:
            raise InvalidArgument(f"a schedule is a map of its fields, with a task, not {brief(given, 80)}")
        check_fields(given)
        return cls(**given)

    @classmethod
    def stored(cls, values: Mapping[str, Any]) -> ScheduleDefinition:
        """Of fields that were found to be right when they were stored."""
        # Without the checks: a master with ten thousand schedules reads them all at its start.
        made = object.__new__(cls)
        made.__dict__.update(_DEFAULTS)
        made.__dict__.update(values)
        return made

    def changed(self, changes: Mapping[str, Any]) -> ScheduleDefinition:
        """With other values for some fields. A new rule takes the place of the old one, of whichever kind."""
        return ScheduleDefinition(**laid_over(self.to_wire(), changes))


NAMES: Final = tuple(field.name for field in fields(ScheduleDefinition))
_DEFAULTS: Final[dict[str, Any]] = {
    "queue": "default",
    "cron": None,
    "every": None,
    "tz": "UTC",
    "misfire": "latest",
    "overlap": "allow",
    "jitter": 0.0,
    "options": {},
    "columns": {},
    "payload": b"",
}


def laid_over(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a definition with changes."""
    merged = {**values, **changes}
    if changes.get("cron") is not None:
        # A rule is one of both: the new one must not meet the old one.
        merged.pop("every", None)
    elif changes.get("every") is not None:
        merged.pop("cron", None)
    return merged


def check_fields(given: Mapping[Any, Any]) -> None:
    """Raises InvalidArgument for a field that no schedule has."""
    for name in given:
        if name not in NAMES:
            raise InvalidArgument(f"a schedule has no {brief(name, 80)}; it has {', '.join(NAMES)}")


def _one_of(name: str, value: object, known: Mapping[str, str]) -> None:
    if not isinstance(value, str) or value not in known:
        words = "; ".join(f"{word!r}: {meaning}" for word, meaning in known.items())
        raise InvalidArgument(f"{name}={brief(value, 80)} is unknown; use one of {words}")


@dataclass(frozen=True, slots=True)
class DeclaredSchedule:
    """A schedule in a program's code: its name, and what it says."""

    name: str
    definition: ScheduleDefinition

    def __post_init__(self) -> None:
        check_name("schedule", self.name)
