"""Rows of a master on PostgreSQL. Pure."""

from __future__ import annotations

from typing import Final

from .figures import Numbers, Row, show_rate, show_seconds, times

SHARE: Final = 0.5  # of what a master with a file does
GOAL: Final = 100_000


def database_rows(numbers: Numbers) -> list[Row]:
    """As far as there are numbers for them."""
    if "database.postgres.tasks" not in numbers:
        return []
    there, here = numbers["database.postgres.tasks"], numbers["database.file.tasks"]
    trip, file_trip = numbers["database.postgres.trip_seconds"], numbers["database.file.trip_seconds"]
    spent, file_spent = (numbers[f"database.{kind}.master_seconds"] for kind in ("postgres", "file"))
    return [
        times(
            f"no-op tasks with the state in PostgreSQL (goal: {GOAL:,} /s, too)",
            there,
            here,
            f"in a file: {show_rate(here)}",
            least=SHARE,
            figure=show_rate(there),
        ),
        Row(
            title="… from submit to result, one at a time",
            figure=show_seconds(trip),
            beside=f"in a file: {show_seconds(file_trip)} ({trip / file_trip:.2f} ×)",
        ),
        Row(
            title="… the master's processor time, a task",
            figure=show_seconds(spent),
            beside=f"in a file: {show_seconds(file_spent)} ({spent / file_spent:.2f} ×)",
        ),
    ]
