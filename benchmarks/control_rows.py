"""Rows of what controls cost. Pure."""

from __future__ import annotations

from typing import Final

from .figures import Goal, Numbers, Row, show_seconds

UNUSED_MAX: Final = 0.03
USED_MAX: Final = 0.30
TITLES: Final = {
    "unused": "a plain map where others use limits, tenants, needs and unique keys",
    "strikes": "… where strikes of other tasks are in force",
    "limit": "a map with a limit of what may run",
    "rate": "… with a limit of what may start in a second",
    "keys": "… with a limit per key, ten keys that alternate",
    "rate_keys": "… with a limit per key of what may start in a second, likewise",
    "tenant": "… with a tenant",
    "tenants": "… with ten tenants that alternate",
    "tags": "… with tags",
    "needs": "… with `needs=`",
    "where": "… with `where=`",
    "expires": "… with `expires=`",
    "deadline": "… with `deadline=`",
    "lifo": "… in a queue of `order=lifo`",
    "maxsize": "… in a queue with a bound that is not reached",
    "on_failure": "… with `on_failure=`, and none fails",
    "coalesce": "… with `coalesce=`, a hundred at once",
    "unique": "a task submitted alone, with `unique=`",
    "cache": "… with `cache=`, each with a key of its own",
}


def control_rows(numbers: Numbers) -> list[Row]:
    """As far as there are numbers for them."""
    return [
        _row(name, title, numbers) for name, title in TITLES.items() if f"controls.{name}.share" in numbers
    ]


def _row(name: str, title: str, numbers: Numbers) -> Row:
    share, low, high, plain = (
        numbers[f"controls.{name}.{what}"] for what in ("share", "low", "high", "plain_seconds")
    )
    most = UNUSED_MAX if name in ("unused", "strikes") else USED_MAX
    return Row(
        title=f"{title}, processor time",
        figure=f"{share:+.1%} ({low:+.1%} to {high:+.1%})",
        beside=f"without: {show_seconds(plain)} a task",
        goal=Goal(words=f"≤ {most:.0%} more", value=share, bound=most, most=True),
    )
