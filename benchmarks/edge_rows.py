"""Rows of tasks that need others of another shard. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .figures import Numbers, Row, show_rate, show_seconds

TITLES: Final = {
    "shards": "in two shards of one process",
    "processes": "in two processes of a master",
}


def edge_rows(numbers: Numbers) -> list[Row]:
    """As far as there are numbers for them."""
    if "edges.within.link_seconds" not in numbers:
        return []
    rows = []
    for kind, title in TITLES.items():
        rows += [
            _seconds(f"a link of a chain over two queues {title}", numbers, kind, "link_seconds"),
            _seconds("… the masters' processor time, a link", numbers, kind, "chain_seconds"),
            Row(
                title=f"members and a task that needs them all, {title}",
                figure=_times(numbers, kind, "join.tasks", show_rate),
                beside=f"in one shard: {show_rate(numbers['edges.within.join.tasks'])}",
            ),
            _seconds("… the masters' processor time, a member", numbers, kind, "join_seconds"),
        ]
    return rows


def _seconds(title: str, numbers: Numbers, kind: str, name: str) -> Row:
    within = show_seconds(numbers[f"edges.within.{name}"])
    return Row(
        title=title, figure=_times(numbers, kind, name, show_seconds), beside=f"in one shard: {within}"
    )


def _times(numbers: Numbers, kind: str, name: str, show: Callable[[float], str]) -> str:
    figure, within = numbers[f"edges.{kind}.{name}"], numbers[f"edges.within.{name}"]
    return f"{show(figure)} ({figure / within:.2f} ×)"
