"""``tq strike add | ls | rm``"""

from __future__ import annotations

import time
from typing import Any, Final

import click

from ...common.domain.durations import span
from ...common.domain.model import Role
from ...common.domain.strikes import parse_strike, tags_of, unseen_words
from ...common.domain.tags import ARGUMENT
from ...common.errors import UnknownObject
from ...common.runtime.terminal import say, write
from ..app import App
from .group import GuessingGroup
from .options import connected, lasting
from .output import ago, count, iso, print_json, print_table

STRIKES: Final = ("get_strikes",)
COLUMNS: Final = ("#strike", "condition", "#waiting", "#for", "#ends in", "key", "reason")


@click.group(cls=GuessingGroup, epilog="Example: tq strike add 'task=mail:send tenant=acme' --for 1h")
def strike() -> None:
    """Hold tasks back by function, queue, tenant, key or argument, for a time."""


@strike.command(
    epilog="Example: tq strike add 'task=mail:send arg.to~example.com' --for 1h --reason 'they block us'"
)
@click.argument("condition")
@click.option("--reason", default="", metavar="TEXT", help="Shown as the reason.")
@lasting
@connected(Role.ADMIN)
def add(app: App, as_json: bool, condition: str, reason: str, seconds: float | None) -> None:
    """Hold tasks back: those that wait, and those that come.

    CONDITION compares queue, task, tenant, limit.NAME, the key of a task in a limit,
    arg.NAME, an argument in its index=, and tag.NAME: task=mail:send, arg.to~example.com,
    tenant in (a, b); with and, or, not. Running tasks continue.
    """
    parsed = parse_strike(condition)
    written = str(parsed)
    unseen = unseen_arguments(app, condition)
    app.call(STRIKES, "add", condition, reason, seconds)
    row = next(row for row in app.call(STRIKES, "list") if row["condition"] == written)
    if as_json:
        print_json({**for_programs(row), "unseen_arguments": unseen})
        return
    lasts = "" if seconds is None else f" for {span(seconds)}"
    waiting = "1 task waits" if row["waiting"] == 1 else f"{count(row['waiting'])} tasks wait"
    write(f"strike {row['strike']} holds back {row['condition']}{lasts}: {waiting} now\n")
    if unseen:
        say(f"({unseen_words(unseen)})")
    elif not row["lanes"]:
        say("(there has been no such task yet: is the name right?)")
    elif not row["waiting"] and (arguments := [tag for tag in tags_of(parsed) if tag.startswith(ARGUMENT)]):
        names = [tag.removeprefix(ARGUMENT) for tag in arguments]
        say(f"(a task is held back by arguments that are in its index=: @app.task(index={names}))")


@strike.command("ls", epilog="Example: tq strike ls")
@connected(Role.VIEWER)
def list_strikes(app: App, as_json: bool) -> None:
    """List strikes, with the tasks that are ready but for them."""
    rows = app.call(STRIKES, "list")
    if as_json:
        print_json([for_programs(row) for row in rows])
        return
    print_table(COLUMNS, map(_cells, rows), empty="no strikes: nothing is held back")


@strike.command("rm", epilog="Example: tq strike rm 3")
@click.argument("which", metavar="NUMBER|CONDITION")
@connected(Role.ADMIN)
def remove(app: App, as_json: bool, which: str) -> None:
    """Let what a strike holds back run."""
    named = int(which[:18]) if which.isascii() and which.isdigit() else which
    app.call(STRIKES, "remove", named)
    if as_json:
        print_json({"strike": named, "removed": True})
    else:
        write(
            f"strike {named} is removed\n"
            if isinstance(named, int)
            else f"the strike on {named} is removed\n"
        )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    left = "" if row["until"] is None else span(max(0.0, row["until"] - time.time()))
    return (
        row["strike"],
        row["condition"],
        f"{count(row['waiting'])} so far" if row.get("comparing") else count(row["waiting"]),
        ago(row["since"]),
        left,
        row["key"],
        row["reason"],
    )


def unseen_arguments(app: App, condition: str) -> list[str]:
    """Those by which none of the newest tasks is found that the condition may hold. Raises what adding it would."""
    try:
        found = app.call(STRIKES, "check", condition) or {}
    except UnknownObject:  # a master of the version before
        return []
    return [name for name, is_found in found.items() if not is_found]


def for_programs(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "since": iso(row["since"]), "until": iso(row["until"])}
