"""``tq queues``, ``tq pause``, ``tq resume``"""

from __future__ import annotations

import sys

import click

from ...common.model import Role
from ..app import App
from .options import connected
from .output import print_json, print_table

SHOWN = ("ready", "scheduled", "running", "succeeded", "failed", "dead", "cancelled")


@click.command(epilog="Example: tq queues")
@connected(Role.VIEWER)
def queues(app: App, as_json: bool) -> None:
    """List queues and how many tasks are in each state."""
    rows = app.call(("get_queues",), "list")
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            row["name"],
            *(row[state] for state in SHOWN),
            f"paused: {row['reason']}".rstrip(": ") if row["paused"] else "",
        )
        for row in rows
    ]
    print_table(("queue", *(f"#{state}" for state in SHOWN), ""), shown, empty="no queues yet; submit a task")


@click.command(epilog="Example: tq pause mail --reason 'the mail server moves'")
@click.argument("queue")
@click.option("--reason", default="", metavar="TEXT", help="Shown to whoever asks why.")
@connected(Role.ADMIN)
def pause(app: App, as_json: bool, queue: str, reason: str) -> None:
    """Hand out nothing of a queue; what runs goes on."""
    app.call(("get_task_queue", queue), "pause", reason)
    _say(as_json, queue, paused=True)


@click.command(epilog="Example: tq resume mail")
@click.argument("queue")
@connected(Role.ADMIN)
def resume(app: App, as_json: bool, queue: str) -> None:
    """Let a paused queue go on."""
    app.call(("get_task_queue", queue), "resume")
    _say(as_json, queue, paused=False)


def _say(as_json: bool, queue: str, *, paused: bool) -> None:
    if as_json:
        print_json({"queue": queue, "paused": paused})
    else:
        sys.stdout.write(f"{queue} {'is paused' if paused else 'goes on'}\n")
