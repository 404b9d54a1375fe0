"""``tq workers``, ``tq drain``"""

from __future__ import annotations

import sys

import click

from ...common.model import Role
from ..app import App
from .options import connected
from .output import ago, print_json, print_table


@click.command(epilog="Example: tq workers")
@connected(Role.VIEWER)
def workers(app: App, as_json: bool) -> None:
    """List workers: where they run, what they hold, when they were last heard."""
    rows = app.call(("get_workers",), "list")
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            row["node"][:8],
            row["host"],
            row["pid"],
            row["slots"],
            row["leased"],
            "yes" if row["connected"] else "no",
            ago(row["last_seen"]),
            " ".join(f"{name}={value}" for name, value in row["labels"].items()),
            _some(row["tasks"]),
        )
        for row in rows
    ]
    columns = ("node", "host", "#pid", "#slots", "#leased", "here", "#heard", "labels", "serves")
    print_table(columns, shown, empty="no workers; start one with tq-worker --connect … MODULE")


@click.command(epilog="Example: tq drain 3f9a")
@click.argument("node")
@connected(Role.ADMIN)
def drain(app: App, as_json: bool, node: str) -> None:
    """Have a worker finish what it runs, hand back the rest and end. NODE: as listed, or its start."""
    app.call(("get_workers",), "drain", node)
    if as_json:
        print_json({"node": node, "draining": True})
    else:
        sys.stdout.write(f"{node} was told to drain\n")


def _some(tasks: list[str]) -> str:
    return ", ".join(tasks[:3]) + (f" and {len(tasks) - 3} more" if len(tasks) > 3 else "")
