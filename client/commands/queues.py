"""``tq queues``, ``tq pause``, ``tq resume``"""

from __future__ import annotations

import sys
import time
from typing import Any, Final

import click

from ...common.model import Role
from ..app import App
from .options import connected
from .output import count, print_json, print_table, rate, span

COLUMNS: Final = ("queue", "#ready", "#running", "#scheduled", "#succeeded", "#failed", "#rate", "#oldest")
ITEMS: Final = "#items"  # behind the name, where there are any
FAILED: Final = ("failed", "dead", "lost")  # one column: what somebody should look at


@click.command(epilog="Example: tq queues")
@connected(Role.VIEWER)
def queues(app: App, as_json: bool) -> None:
    """List queues: tasks by state, ended per second, the age of the oldest ready one; items, if any wait."""
    rows = app.call(("get_queues",), "list")
    if as_json:
        print_json(rows)
        return
    with_items = any(row["items"] for row in rows)
    shown = [
        (
            row["name"],
            *([count(row["items"])] if with_items else []),
            *(count(row[state]) for state in ("ready", "running", "scheduled", "succeeded")),
            count(failed(row)),
            rate(row["rate"]),
            "" if row["oldest_ready_seconds"] is None else span(row["oldest_ready_seconds"]),
        )
        for row in rows
    ]
    columns = (COLUMNS[0], ITEMS, *COLUMNS[1:]) if with_items else COLUMNS
    print_table(columns, shown, empty="no queues yet; submit a task")
    for row in rows:
        if row["paused"]:
            sys.stdout.write(f"{row['name']} is {paused_words(row)}\n")


@click.command(epilog="Example: tq pause mail --reason 'the mail server moves'")
@click.argument("queue")
@click.option("--reason", default="", metavar="TEXT", help="Shown to whoever asks why.")
@connected(Role.ADMIN)
def pause(app: App, as_json: bool, queue: str, reason: str) -> None:
    """Hand out nothing of a queue; what runs goes on."""
    app.call(("get_task_queue", queue), "pause", reason)
    row = _row(app, queue)
    if as_json:
        print_json({"queue": queue, "paused": True, "running": row["running"]})
        return
    goes_on = f"; {count(row['running'])} already with workers will still run" if row["running"] else ""
    sys.stdout.write(f"{queue} is paused{goes_on}\n")
    if not any(row[state] for state in ("ready", "scheduled", "running", "succeeded", *FAILED)):
        click.echo(f"(there has been no task in {queue} yet: is the name right?)", err=True)


@click.command(epilog="Example: tq resume mail")
@click.argument("queue")
@connected(Role.ADMIN)
def resume(app: App, as_json: bool, queue: str) -> None:
    """Let a paused queue go on."""
    before = _row(app, queue)
    app.call(("get_task_queue", queue), "resume")
    if as_json:
        print_json({"queue": queue, "paused": False})
    elif before["paused"]:
        sys.stdout.write(f"{queue} goes on\n")
    else:
        sys.stdout.write(f"{queue} was not paused\n")


def failed(row: dict[str, Any]) -> int:
    return sum(row[state] for state in FAILED)


def paused_words(row: dict[str, Any]) -> str:
    """``paused for 3 min: the disk is full``"""
    since = "" if row["since"] is None else f" for {span(max(0.0, time.time() - row['since']))}"
    return f"paused{since}" + (f": {row['reason']}" if row["reason"] else "")


def _row(app: App, queue: str) -> dict[str, Any]:
    """A queue as it is now; one of nothing when it was never heard of."""
    rows = app.call(("get_queues",), "list")
    nothing = dict.fromkeys(("ready", "scheduled", "running", "succeeded", *FAILED), 0)
    return next((row for row in rows if row["name"] == queue), {"name": queue, "paused": False, **nothing})
