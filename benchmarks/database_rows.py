"""Rows of masters on PostgreSQL. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .figures import Goal, Numbers, Row, show_megabytes, show_rate, show_seconds, times

SHARE: Final = 0.5  # of what a master with a file does
GOAL: Final = 100_000
WITHOUT_START_MAX: Final = {"kill": 10.0, "stop": 2.0}
PEERS: Final = {"pgqueuer": "PgQueuer", "procrastinate": "Procrastinate"}
WAYS: Final = {
    "kill": "no start of a task after kill -9 of the master that serves, until another one has taken over",
    "stop": "… after it was stopped in order",
}


def database_rows(numbers: Numbers) -> list[Row]:
    """As far as there are numbers for them."""
    makers: list[tuple[str, Callable[[Numbers], list[Row]]]] = [
        ("database.postgres.tasks", _speed),
        ("takeover.kill.times", _take_over),
        ("rest.shard.bytes", _shards),
        ("rest.database.statements", _rest),
    ]
    return [row for needed, make in makers if needed in numbers for row in make(numbers)]


def _take_over(numbers: Numbers) -> list[Row]:
    made = []
    for way, title in WAYS.items():
        p50, worst, count = (
            numbers[f"takeover.{way}.{what}"] for what in ("p50_seconds", "worst_seconds", "times")
        )
        bound = WITHOUT_START_MAX[way]
        goal = Goal(words=f"worst ≤ {bound:g} s", value=worst, bound=bound, most=True)
        made.append(
            Row(
                title=title,
                figure=f"p50 {p50:.2f} s, worst {worst:.2f} s",
                beside=f"of {count:,.0f}",
                goal=goal,
            )
        )
    return made


def _shards(numbers: Numbers) -> list[Row]:
    return [
        Row(
            title="each further shard of a master at rest, of a core",
            figure=f"{numbers['rest.shard.cpu_share']:.3%}, {numbers['rest.shard.bytes'] / 1e6:.1f} MB",
            beside=f"a master with one: {numbers['rest.one.cpu_share']:.3%}, {show_megabytes(numbers['rest.one.bytes'])}",
        )
    ]


def _rest(numbers: Numbers) -> list[Row]:
    return [
        Row(
            title="masters with a database at rest: the one that serves, of a core",
            figure=f"{numbers['rest.serves.cpu_share']:.2%}, {show_megabytes(numbers['rest.serves.bytes'])}",
            beside=f"one that stands by: {numbers['rest.stands_by.cpu_share']:.2%}, "
            f"{show_megabytes(numbers['rest.stands_by.bytes'])}",
        ),
        Row(
            title="… the database for both, of a core",
            figure=f"{numbers['rest.database.cpu_share']:.2%}",
            beside=f"{numbers['rest.database.statements']:.1f} statements/s over "
            f"{numbers['rest.database.connections']:.0f} connections",
        ),
    ]


def _speed(numbers: Numbers) -> list[Row]:
    there, here = numbers["database.postgres.tasks"], numbers["database.file.tasks"]
    trip, file_trip = numbers["database.postgres.trip_seconds"], numbers["database.file.trip_seconds"]
    spent, file_spent = (numbers[f"database.{kind}.master_seconds"] for kind in ("postgres", "file"))
    peers = {title: numbers.get(f"database.{peer}.tasks") for peer, title in PEERS.items()}
    return [
        times(
            f"no-op tasks with the state in PostgreSQL (goal: {GOAL:,} /s, too)",
            there,
            here,
            f"in a file: {show_rate(here)}",
            least=SHARE,
            figure=show_rate(there),
        ),
        *(
            Row(
                title=f"… against {title} on PostgreSQL",
                figure=f"{there / rate:.1f} ×",
                beside=show_rate(rate),
            )
            for title, rate in peers.items()
            if rate is not None
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
