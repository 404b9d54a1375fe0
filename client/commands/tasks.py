"""``tq ls``, ``tq cancel``, ``tq retry``"""

from __future__ import annotations

import re
import sys
import time
from typing import Any

import click

from ...common.errors import InvalidArgument
from ...common.ids import parse_id, show_id
from ...common.model import Role, State
from ..app import App
from . import failing
from .options import connected
from .output import ago, print_json, print_table, task_row

UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}


@click.command(epilog="Example: tq ls --state failed --since 2h")
@click.option(
    "--state", "states", multiple=True, metavar="STATE", help="ready, running, failed, …; repeatable."
)
@click.option("--queue", metavar="NAME", help="Only of this queue.")
@click.option("--name", metavar="MODULE:FUNCTION", help="Only of this callable.")
@click.option("--since", metavar="AGE", help="Submitted in the last 30s, 10min, 2h, 7d.")
@click.option("--limit", default=30, show_default=True, metavar="N", help="At most so many.")
@connected(Role.VIEWER)
def ls(
    app: App,
    as_json: bool,
    states: tuple[str, ...],
    queue: str | None,
    name: str | None,
    since: str | None,
    limit: int,
) -> None:
    """List tasks, newest first."""
    wanted: dict[str, Any] = {"states": [int(State.parse(word)) for word in states]}
    if queue is not None:
        wanted["queue"] = queue
    if name is not None:
        wanted["name"] = name
    if since is not None:
        wanted["since"] = time.time() - _age(since)
    tasks = app.call(("get_tasks",), "list", wanted, limit)
    if as_json:
        print_json([task_row(task) for task in tasks])
        return
    rows = [
        (
            show_id(task["id"]),
            State(task["state"]),
            task["name"],
            task["queue"],
            task["attempt"],
            ago(task["created"]),
        )
        for task in tasks
    ]
    print_table(("id", "state", "task", "queue", "#tries", "#age"), rows, empty="no such tasks")


@click.command(epilog="Example: tq cancel $(tq ls --state ready --json | jq -r '.[].id')")
@click.argument("task_ids", nargs=-1, required=True, metavar="ID...")
@connected(Role.CLIENT)
def cancel(app: App, as_json: bool, task_ids: tuple[str, ...]) -> None:
    """Cancel tasks. One that runs is asked to stop, then made to."""
    _each(app, as_json, task_ids, "cancel", {State.RUNNING: "running; its worker has been told to end it"})


@click.command(epilog="Example: tq retry 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
@click.argument("task_ids", nargs=-1, required=True, metavar="ID...")
@connected(Role.CLIENT)
def retry(app: App, as_json: bool, task_ids: tuple[str, ...]) -> None:
    """Make failed, dead, cancelled, expired or lost tasks ready again."""
    _each(app, as_json, task_ids, "retry", {})


def _each(app: App, as_json: bool, task_ids: tuple[str, ...], method: str, words: dict[State, str]) -> None:
    ids = [parse_id(text) for text in task_ids]
    reached = dict(app.call(("get_tasks",), method, ids))
    states = {show_id(id): str(State(reached[id])) if id in reached else "unknown" for id in ids}
    if as_json:
        print_json(states)
    else:
        for id in ids:
            state = State(reached[id]) if id in reached else None
            word = "no such task" if state is None else words.get(state, str(state))
            sys.stdout.write(f"{show_id(id)}  {word}\n")
    if len(reached) < len(set(ids)):
        raise SystemExit(failing.UNKNOWN)


def _age(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)", text)
    if match is None:
        raise InvalidArgument(f"--since {text!r}: write 30s, 10min, 2h or 7d")
    return float(match[1]) * UNITS[match[2]]
