"""Rows of shards and processes of one master. Pure."""

from __future__ import annotations

from typing import Final

from .figures import Numbers, Row, show_rate, show_seconds

TITLES: Final = {
    "shards": "no-op tasks of two queues with `--shards 2`",
    "processes": "… with `--shards 2 --processes 2`, all on the cores of the client, the worker and its children",
}


def process_rows(numbers: Numbers) -> list[Row]:
    """As far as there are numbers for them."""
    if "processes.one.tasks" not in numbers:
        return []
    one, one_spent = numbers["processes.one.tasks"], numbers["processes.one.master_seconds"]
    made = []
    for kind, title in TITLES.items():
        rate, spent = numbers[f"processes.{kind}.tasks"], numbers[f"processes.{kind}.master_seconds"]
        made.append(
            Row(
                title=title,
                figure=f"{show_rate(rate)} ({rate / one:.2f} ×)",
                beside=f"one shard: {show_rate(one)}",
            )
        )
        made.append(
            Row(
                title="… the masters' processor time, a task",
                figure=f"{show_seconds(spent)} ({spent / one_spent:.2f} ×)",
                beside=f"one shard: {show_seconds(one_spent)}",
            )
        )
    return made
