"""A cron text in words, so that a person sees what it means before it is a schedule. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping, Sequence
from typing import Final

WEEKDAYS: Final = (*(calendar.day_name[(number + 6) % 7] for number in range(7)), "Sunday")
MONTHS: Final = calendar.month_name
SHORT_DAYS: Final = {name[:3].upper(): number for number, name in enumerate(WEEKDAYS[:7])}
SHORT_MONTHS: Final = {name[:3].upper(): number for number, name in enumerate(MONTHS) if name}
NONE: Final[Mapping[str, int]] = {}

Name = Callable[[int], str]


def cron_in_words(text: str) -> str:
    """``at 03:00, on Monday to Friday`` of a rule of five fields that is one. Signs that it does not know stay as they are."""
    minute, hour, day, month, weekday = text.split()
    parts = [_time(minute, hour)]
    days = _field(day, "on day", str)
    weekdays = _field(weekday, "on", lambda number: WEEKDAYS[number], SHORT_DAYS, first=0)
    # By the oldest rule of cron a moment fits if either does, where both say something.
    parts += [" or ".join(filter(None, (days, weekdays)))]
    parts += [_field(month, "in", lambda number: MONTHS[number], SHORT_MONTHS)]
    return ", ".join(filter(None, parts))


def _time(minute: str, hour: str) -> str:
    minutes, hours = minute.split(","), hour.split(",")
    if all(map(str.isdigit, [*minutes, *hours])) and len(minutes) * len(hours) <= 6:
        return "at " + _and([f"{int(one):02}:{int(two):02}" for one in hours for two in minutes])
    if minute == "*":
        said = "every minute"
    elif minute.startswith("*/") and minute[2:].isdigit():
        said = f"every {int(minute[2:])} minutes"
    else:
        said = f"at minute {_listed(minute, str)}"
    if hour == "*":
        return said if minute.startswith("*") else f"{said} of every hour"
    if hour.startswith("*/") and hour[2:].isdigit():
        return f"{said} of every {int(hour[2:])} hours"
    return f"{said}, in the hours {_listed(hour, str)}"


def _field(text: str, before: str, name: Name, words: Mapping[str, int] = NONE, *, first: int = 1) -> str:
    if text in ("*", "?"):
        return ""
    if text.startswith("*/") and text[2:].isdigit():
        return f"{before} {name(first)}, then every {int(text[2:])} from there"
    return f"{before} {_listed(text, name, words)}"


def _listed(text: str, name: Name, words: Mapping[str, int] = NONE) -> str:
    return _and([_one(part, name, words) for part in text.split(",")])


def _one(text: str, name: Name, words: Mapping[str, int]) -> str:
    span, slash, step = text.partition("/")
    first, dash, last = span.partition("-")
    try:
        said = _name(first, name, words) + (f" to {_name(last, name, words)}" if dash else "")
    except (ValueError, IndexError):
        return text
    return f"{said} in steps of {step}" if slash else said


def _name(text: str, name: Name, words: Mapping[str, int]) -> str:
    return name(words[text.upper()] if text.upper() in words else int(text))


def _and(parts: Sequence[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
