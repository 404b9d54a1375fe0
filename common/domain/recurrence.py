"""When a schedule is due: a cron rule in a time zone, or an interval. Pure.

The library cronsim knows the rules of cron: fields, names, ranges, steps, ``L`` and ``#``. What it is given is a time zone's own
clock, and what it answers becomes a moment of UTC, in whole milliseconds of Unix time. On a day on which a zone's clock is set:

* a rule for *fixed times* (neither minute nor hour begins with ``*``) is due once a day, as in Debian's cron: a time that does
  not exist is due at the first one that does, and a time that comes twice is due the first time;
* any other rule follows the time that passes: ``*/10 * * * *`` is due every ten minutes, through the hour that comes twice and
  past the one that does not exist.

Invariant: ``after(moment)`` is later than the moment, whatever the zone's clock does.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from ..errors import InvalidArgument
from ..values.brief import brief

CRON_CHARS_MAX: Final = 200
ZONE_CHARS_MAX: Final = 100
EVERY_MS_MIN: Final = 1_000
EVERY_MS_MAX: Final = 366 * 24 * 3_600_000 * 10  # ten years, as of a delay
MOMENT_MS_MAX: Final = 100_000_000_000_000  # the year 5138: of later ones no rule is asked
RULES_REMEMBERED: Final = 1_000  # that were found to be right
REMEMBERED: Final = 10_000  # moments that were computed: many schedules have the same rule
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIELDS: Final = {  # by the library's word: ours, and what is allowed
    "minute": ("minute", "0 to 59"),
    "hour": ("hour", "0 to 23"),
    "day-of-month": ("day of the month", "1 to 31, L (the last day) or LW (the last weekday)"),
    "month": ("month", "1 to 12 or JAN to DEC"),
    "day-of-week": ("day of the week", "0 to 7 or SUN to SAT, 5L (the last Friday), 1#2 (the second Monday)"),
}
PLACES: Final = list(FIELDS)


@dataclass(frozen=True, slots=True)
class Interval:
    """Every so many milliseconds, counted from the beginning of 1970: all that say the same are due at the same moments."""

    ms: int

    def after(self, moment: int) -> int | None:
        """The first moment after this one at which it is due; None: there is none."""
        return (moment // self.ms + 1) * self.ms

    def __str__(self) -> str:
        return f"every {timedelta(milliseconds=self.ms)}"


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields, in a time zone."""

    text: str
    zone: str

    def after(self, moment: int) -> int | None:
        """The first moment after this one at which it is due; None: there is none within fifty years."""
        return _cron_after(self.text, self.zone, moment)

    def __str__(self) -> str:
        return f"{self.text} {self.zone}"


Recurrence = Interval | Cron


def interval(seconds: object) -> Interval:
    """Raises InvalidArgument."""
    low, high = EVERY_MS_MIN / 1000, EVERY_MS_MAX / 1000
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not low <= seconds <= high:
        raise InvalidArgument(
            f"every={brief(seconds, 80)}: an interval is a number of seconds from {low:g} to {high:,.0f} (ten years), or a timedelta"
        )
    return Interval(round(seconds * 1000))


def cron(text: object, zone: object) -> Cron:
    """Raises InvalidArgument with the field that is wrong and what may stand there, or with zones of similar names."""
    if not isinstance(text, str) or len(text) > CRON_CHARS_MAX:
        raise InvalidArgument(
            f"cron={brief(text, 80)}: a cron rule is text of at most {CRON_CHARS_MAX} characters, '0 3 * * *'"
        )
    if not isinstance(zone, str) or len(zone) > ZONE_CHARS_MAX:
        raise InvalidArgument(f"tz={brief(zone, 80)}: a time zone is text, as in 'Europe/Prague'")
    return _cron(text, zone)


NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@functools.lru_cache(RULES_REMEMBERED)
def _cron(text: str, zone: str) -> Cron:
    _zone(zone)
    fields = text.split()
    if len(fields) != len(FIELDS):
        names = ", ".join(name for name, _ in FIELDS.values())
        hint = "; for seconds use every=" if len(fields) == len(FIELDS) + 1 else ""
        if (meant := NICKNAMES.get(text.strip().lower())) is not None:
            hint = f"; write {meant!r} for it"
        raise InvalidArgument(
            f"cron={text!r}: it has {len(fields)} fields and not five: {names}, as in '0 3 * * *'{hint}"
        )
    _check(text, fields)
    rule = Cron(" ".join(fields), zone)
    if rule.after(0) is None:
        raise InvalidArgument(f"cron={text!r}: no such day comes within fifty years; check day and month")
    return rule


def _check(text: str, fields: list[str]) -> None:
    if (error := _error(text)) is None:
        return
    for place, word in enumerate(PLACES):  # the field that is wrong even if all others are right
        alone = ["*"] * len(FIELDS)
        alone[place] = fields[place]
        if _error(" ".join(alone)) is not None:
            name, allowed = FIELDS[word]
            raise InvalidArgument(
                f"cron={text!r}: the {name} is {fields[place]!r}; allowed are {allowed}, also as lists (1,3), ranges (1-5), "
                "steps (*/2), and * for all"
            )
    raise InvalidArgument(f"cron={text!r}: no month of it has such a day ({error}); check day and month")


def _error(text: str) -> str | None:
    from cronsim import CronSim

    try:
        CronSim(text, EPOCH)
    except Exception as error:  # of a text that it was not made for it may raise others than its own
        return str(error) or type(error).__name__
    return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        pass
    import difflib  # a master starts without it

    near = difflib.get_close_matches(name, _known_zones(), 1)
    hint = f"did you mean {near[0]}?" if near else "write it as in 'Europe/Prague', or 'UTC'"
    raise InvalidArgument(f"tz={brief(name, 80)}: no such time zone is known here; {hint}") from None


@functools.cache
def _known_zones() -> list[str]:
    return sorted(available_timezones())


@functools.lru_cache(REMEMBERED)
def _cron_after(text: str, zone: str, moment: int) -> int | None:
    if not 0 <= moment < MOMENT_MS_MAX:
        return None
    place, start = _zone(zone), EPOCH + timedelta(milliseconds=moment)
    minute, hour = text.split()[:2]
    if zone == "UTC" or minute.startswith("*") or hour.startswith("*"):
        found = _by_time_that_passes(text, place, start)
    else:
        found = _by_fixed_times(text, place, start)
    return None if found is None else int((found - EPOCH).total_seconds()) * 1000


def _by_fixed_times(text: str, place: ZoneInfo, start: datetime) -> datetime | None:
    from cronsim import CronSim

    # Where the zone's time comes twice the library begins with the first one, which may be before the start.
    for found in CronSim(text, start.astimezone(place)):
        moment = found.astimezone(UTC)
        if moment > start:
            return moment
    return None


def _by_time_that_passes(text: str, place: ZoneInfo, start: datetime) -> datetime | None:
    """As long as the zone's clock is not set it is one with a fixed offset, and the library is asked about that."""
    from cronsim import CronSim

    since, ahead = start, _ahead(start, place)  # a moment from which on that offset holds
    while True:
        found = next(CronSim(text, start.astimezone(timezone(ahead))), None)
        if found is None:
            return None
        moment = found.astimezone(UTC)
        if _ahead(moment, place) == ahead:
            return moment
        since = _change(since, moment, place)
        start, ahead = since - timedelta(seconds=1), _ahead(since, place)


def _ahead(moment: datetime, place: ZoneInfo) -> timedelta:
    """By how much the zone's clock is ahead of UTC."""
    return moment.astimezone(place).utcoffset() or timedelta()


def _change(low: datetime, high: datetime, place: ZoneInfo) -> datetime:
    """The first second with another offset than ``low`` has. ``high`` has another."""
    ahead = _ahead(low, place)
    left, right = 0, int((high - low).total_seconds()) + 1
    low = low.replace(microsecond=0)
    while right - left > 1:
        middle = (left + right) // 2
        if _ahead(low + timedelta(seconds=middle), place) == ahead:
            left = middle
        else:
            right = middle
    return low + timedelta(seconds=right)
