"""``tq limits ls | show | set | rm``"""

from __future__ import annotations

import time
from typing import Any, Final

import click

from ...common.domain.durations import span
from ...common.domain.limit_parts import division_in_words
from ...common.domain.model import Role
from ...common.errors import InvalidArgument
from ...common.runtime.terminal import say, write
from ..app import App
from .bounds import NONE, bound
from .group import GuessingGroup
from .options import connected
from .output import ago, count, print_json, print_table, with_moments
from .portions import rows_by_name

LIMITS: Final = ("get_limits",)
COLUMNS: Final = ("limit", "#at once", "rate", "#burst", "#running", "#waiting", "#keys", "note")
KEY_COLUMNS: Final = ("key", "#running", "#waiting", "#tokens")


@click.group(cls=GuessingGroup, epilog="Example: tq limits ls")
def limits() -> None:
    """List limits of tasks; change what holds. See tq.Limit."""


@limits.command("ls", epilog="Example: tq limits ls")
@connected(Role.VIEWER)
def list_limits(app: App, as_json: bool) -> None:
    """List limits: what holds, what runs and waits under each.

    Running: units. Waiting: tasks that are ready and have not begun. Keys: that
    have tasks which run or wait, each with the limit for itself.
    """
    rows = rows_by_name(app, LIMITS, "")
    if as_json:
        print_json(with_moments(rows))
        return
    empty = "no limits yet; a task declares one: @app.task(limits=[tq.Limit('smtp', max_running=3)])"
    print_table(COLUMNS, map(_cells, rows), empty=empty)


@limits.command(epilog="Example: tq limits show smtp")
@click.argument("name", metavar="LIMIT")
@click.option("--keys", default=20, show_default=True, metavar="N", help="Show so many keys.")
@connected(Role.VIEWER)
def show(app: App, as_json: bool, name: str, keys: int) -> None:
    """One limit: what is declared and set, and what each key has.

    Those with the most waiting tasks come first.
    """
    row = app.call(LIMITS, "show", name, keys)
    if as_json:
        print_json(with_moments(row))
        return
    write(f"{name}: {_words(row)}\n")
    if "over" in row:
        write(f"{division_in_words(row['max_running'], row['over'])}; what one has free, no other can use\n")
    if "uneven" in row:
        write(f"other numbers in some shards: the largest are shown; `tq limits set {name}` sets it in all\n")
    if row["set"]:
        write(f"declared as: {_words(row['declared'])}; changed {ago(row['since'])} ago\n")
    if row["differing"]:
        write(
            f"connected programs that declare it otherwise: {count(row['differing'])} of {count(row['programs'])}\n"
        )
    if row["used"]:
        write("\n")
        cells = (
            (one["key"] or "(all)", count(one["running"]), count(one["waiting"]), _optional(one["tokens"]))
            for one in row["used"]
        )
        print_table(KEY_COLUMNS, cells, empty="")


@limits.command("set", epilog="Example: tq limits set smtp --max-running 5 --rate 100/min")
@click.argument("name", metavar="LIMIT")
@click.option("--max-running", metavar="N", help="So many at once, or none: any number.")
@click.option("--rate", metavar="N/UNIT", help="100/min, 5/s, 20/h; none: any.")
@click.option("--burst", metavar="N", help="So many together; none: of the rate.")
@click.option("--reset", is_flag=True, help="As the code declares it.")
@connected(Role.ADMIN)
def change(
    app: App,
    as_json: bool,
    name: str,
    max_running: str | None,
    rate: str | None,
    burst: str | None,
    reset: bool,
) -> None:
    """Change a limit at once, for tasks that wait already, too.

    It stays, whatever the code declares, until --reset.
    """
    changes: dict[str, Any] = {}
    if max_running is not None:
        changes["max_running"] = bound("--max-running", max_running)
    if rate is not None:
        changes["rate"] = None if rate == NONE else rate
    if burst is not None:
        changes["burst"] = bound("--burst", burst)
    if reset == bool(changes):
        raise InvalidArgument(
            "say what holds from now on: --max-running 5, --rate 100/min, --burst 10; or --reset: as the code declares it"
        )
    row = app.call(LIMITS, "reset", name) if reset else app.call(LIMITS, "set", name, changes)
    if as_json:
        print_json(with_moments(row))
        return
    write(f"{name}: {_words(row)}\n")
    if row["differing"] and reset:
        say(
            f"(connected programs that declare it otherwise: {count(row['differing'])}; tq limits show {name})"
        )


@limits.command("rm", epilog="Example: tq limits rm smtp")
@click.argument("name", metavar="LIMIT")
@connected(Role.ADMIN)
def remove(app: App, as_json: bool, name: str) -> None:
    """Forget a limit that no task and no connected program has any more."""
    app.call(LIMITS, "remove", name)
    if as_json:
        print_json({"limit": name, "removed": True})
    else:
        write(f"{name} is removed\n")


def _words(row: dict[str, Any]) -> str:
    """``at most 3 at once, 100/min (up to 10 together)``"""
    said = []
    if row["max_running"] is not None:
        said.append(f"at most {count(row['max_running'])} at once")
    if row["rate"] is not None:
        said.append(f"{row['rate']} (up to {count(row['burst'])} together)")
    return ", ".join(said) or "no bound"


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    notes = [division_in_words(row["max_running"], row["over"])] if "over" in row else []
    if "uneven" in row:
        notes.append("other numbers in some shards: the largest are shown")
    if row["set"]:
        notes.append(f"set {span(max(0.0, time.time() - row['since']))} ago")
    if row["differing"]:
        notes.append(f"programs that declare it otherwise: {count(row['differing'])}")
    return (
        row["name"],
        _optional(row["max_running"]),
        row["rate"] or "",
        _optional(row["burst"]),
        *(count(row[name]) for name in ("running", "waiting", "keys")),
        ", ".join(notes),
    )


def _optional(number: float | None) -> str:
    return "" if number is None else count(int(number))
