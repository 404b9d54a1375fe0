"""Rows of tasks that need others. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .figures import Goal, Numbers, Row, show_megabytes, show_rate, show_seconds, times

PEERS: Final = {
    "graphs.celery.durable.tasks": "Celery's chord on Redis, every write synced",
    "graphs.celery.memory.tasks": "Celery's chord on Redis, nothing synced",
    "graphs.dask.tasks": "Dask, in memory",
}


def graph_rows(numbers: Numbers, notes: Mapping[str, str]) -> list[Row]:
    """As far as there are numbers for them."""
    if "graphs.join.tasks" not in numbers:
        return []
    join, plain = numbers["graphs.join.tasks"], numbers["graphs.plain.tasks"]
    link, trip = numbers["graphs.chain.link_seconds"], numbers["graphs.trip_seconds"]
    pairs, grown = numbers["graphs.pairs.tasks"], numbers["graphs.memory_bytes"]
    beside = f"no-op tasks of this cluster: {show_rate(plain)}"
    made = [
        times(
            "a map and a task that needs all of it, members",
            join,
            plain,
            beside,
            least=0.6,
            figure=show_rate(join),
        )
    ]
    for name, title in PEERS.items():
        if name in numbers:
            made.append(times(f"… against {title}", join, numbers[name], show_rate(numbers[name]), least=1))
        elif name in notes:
            made.append(Row(title=f"… against {title}", figure=notes[name]))
    chain = Row(
        title="a chain, each task needs the one before, a link",
        figure=show_seconds(link),
        beside=f"a round trip of this cluster: {show_seconds(trip)} ({link / trip:.2f} ×)",
        goal=Goal(words="≤ 2 × of it", value=link / trip, bound=2, most=True),
    )
    tree = Row(title="a tree in which each task needs two", figure=show_rate(pairs), beside=beside)
    memory = Row(
        title="growth of the master's memory during these three",
        figure=show_megabytes(grown),
        goal=Goal(words="≤ 50 MB", value=grown, bound=50e6, most=True),
    )
    return [*made, chain, tree, memory]
