"""``tq queues``, ``tq pause``, ``tq resume``"""

from __future__ import annotations

import time
from typing import Any, Final

import click

from ...common.domain.durations import span
from ...common.domain.model import Role, State
from ...common.errors import InvalidArgument
from ...common.runtime.guessing import nearest
from ...common.runtime.terminal import say, write
from ..app import App
from .bounds import bound
from .emptying import as_row, emptying, read
from .group import ListingGroup
from .options import connected, lasting
from .output import count, iso, print_json, print_table, rate, with_moments
from .peeking import peek
from .where import age

COLUMNS: Final = (
    *("queue", "#ready", "#running", "#scheduled", "#blocked", "#succeeded", "#failed", "#rate", "#oldest"),
    "#most",
    "empty in",
)
ITEM_COLUMNS: Final = (
    "item queue",
    "kind",
    "#items",
    "#most",
    "#taken",
    "#unfinished",
    "#in",
    "#out",
    "waiting",
)
FAILED: Final = ("failed", "dead", "lost")  # one column: tasks that need attention


@click.group(cls=ListingGroup, epilog="Example: tq queues")
def queues() -> None:
    """List queues, of tasks and of items; bound one of tasks, look into one of items."""


@queues.command("list", epilog="Example: tq queues")
@connected(Role.VIEWER)
def list_queues(app: App, as_json: bool) -> None:
    """List queues, of tasks and of items.

    Tasks: numbers by state, ended per second, age of the oldest ready one. Items
    (manager.Queue, get_task_queue): waiting, taken but not confirmed, not yet marked
    done, put and confirmed per second, and how many consumers and producers wait.
    "empty in": when nothing is ready, if it goes on as in the last minutes.
    """
    rows = app.call(("get_queues",), "list")
    points, now = read(app), time.time()
    for row in rows:
        row["empty_in"] = emptying(row, points, now)
    if as_json:
        print_json(with_moments([{**row, "empty_in": as_row(row["empty_in"])} for row in rows]))
        return
    of_items = [row for row in rows if row["item_queue"] is not None]
    # One name may have both kinds; an item queue without tasks would be a row of zeros.
    of_tasks = [row for row in rows if row["item_queue"] is None or has_tasks(row)]
    if of_tasks or not of_items:
        # Columns of what few clusters use are there when they say something.
        with_blocked = any(row["blocked"] for row in of_tasks)
        with_most = any(row.get("maxsize") for row in of_tasks)
        with_end = any(row["empty_in"] for row in of_tasks)
        left_out = {"#blocked": not with_blocked, "#most": not with_most, "empty in": not with_end}
        columns = [one for one in COLUMNS if not left_out.get(one)]
        cells = (
            _task_cells(row, with_blocked=with_blocked, with_most=with_most, with_end=with_end)
            for row in of_tasks
        )
        print_table(columns, cells, empty="no queues yet; submit a task", spare=("empty in",))
    if of_tasks and of_items:
        write("\n")
    if of_items:
        print_table(ITEM_COLUMNS, map(_item_cells, of_items), empty="")
    for row in rows:
        if row["paused"]:
            write(f"{row['name']} is {paused_words(row)}\n")
        if row.get("order") == "lifo":  # a master of an earlier version does not say, as below
            write(f"{row['name']}: what was submitted last starts first\n")
        if row.get("aging"):
            write(f"{row['name']}: {span(row['aging'])} of waiting count as one step of priority\n")
        if waiting := row.get("submits_waiting"):
            submits = "submit waits" if waiting == 1 else "submits wait"
            write(f"{row['name']} is full: {count(waiting)} {submits} for room\n")


queues.add_command(peek)


@queues.command("set", epilog="Example: tq queues set crawl --maxsize 10000 --aging 10min")
@click.argument("queue")
@click.option("--maxsize", metavar="N", help="Tasks that may wait; 0 or none: no bound.")
@click.option("--order", type=click.Choice(("fifo", "lifo")), help="lifo: the newest starts first.")
@click.option("--aging", metavar="TIME", help="Waiting that is one step of priority; 0s: none.")
@click.option("--create", is_flag=True, help="Even if there has been nothing in it yet.")
@connected(Role.ADMIN)
def set_queue(
    app: App,
    as_json: bool,
    queue: str,
    maxsize: str | None,
    order: str | None,
    aging: str | None,
    create: bool,
) -> None:
    """Bound how many tasks may wait in a queue; set in which order they start.

    A submit beyond the bound waits for room, or raises tq.Full with using(on_full="raise").
    What waits there stays; retries and schedules are not bound.
    """
    if maxsize is None and order is None and aging is None:
        raise InvalidArgument(
            f"say what to set: tq queues set {queue} --maxsize 10000, --order lifo, --aging 10min"
        )
    seconds = None if aging is None else age(aging, "aging")
    most = None if maxsize is None else bound("--maxsize", maxsize) or 0
    if not create:
        _check_known(app, queue)
    app.set_queue(queue, maxsize=most, order=order, aging=seconds)
    given = {"maxsize": most, "order": order, "aging": seconds}
    if as_json:
        print_json({"queue": queue, **{name: value for name, value in given.items() if value is not None}})
        return
    if most is not None:
        write(f"at most {count(most)} tasks wait in {queue}\n" if most else f"{queue} has no bound\n")
    if order is not None:
        write(f"{queue}: what was submitted {'last' if order == 'lifo' else 'first'} starts first\n")
    if seconds is not None:
        step = (
            f"{span(seconds)} of waiting count as one step of priority"
            if seconds
            else "waiting adds nothing to priority"
        )
        write(f"{queue}: {step}\n")


@queues.command(epilog="Example: tq queues delete results --items")
@click.argument("queue")
@click.option("--items", is_flag=True, help="Even with items in it; they are lost.")
@connected(Role.ADMIN)
def delete(app: App, as_json: bool, queue: str, items: bool) -> None:
    """Delete a queue of items that is not in use.

    The next use of its name creates a new one. For tasks use `tq purge QUEUE`.
    """
    lost = app.call(("get_queues",), "delete", queue, items)
    if as_json:
        print_json({"queue": queue, "deleted": True, "items": lost})
        return
    with_items = f", and {count(lost)} {'item' if lost == 1 else 'items'} with it" if lost else ""
    write(f"{queue} is deleted{with_items}\n")


@click.command(epilog="Example: tq pause mail --for 1h --reason 'the mail server moves'")
@click.argument("queue")
@click.option("--reason", default="", metavar="TEXT", help="Shown as the reason.")
@lasting
@connected(Role.ADMIN)
def pause(app: App, as_json: bool, queue: str, reason: str, seconds: float | None) -> None:
    """Pause a queue: no task of it starts and no item is handed out.

    Running tasks continue. New tasks and items wait, and so do consumers of items.
    """
    # A master of an earlier version knows no time, and is not asked for one that is not given.
    app.call(("get_task_queue", queue), "pause", reason, *(() if seconds is None else (seconds,)))
    row = _row(app, queue)
    if as_json:
        given = {"running": row["running"], "assigned": row["assigned"]}
        print_json({"queue": queue, "paused": True, "until": iso(row.get("until")), **given})
        return
    given = row["running"] + row["assigned"]
    goes_on = f"; {count(given)} already with workers will still run" if given else ""
    lasts = "" if seconds is None else f" for {span(seconds)}"
    write(f"{queue} is paused{lasts}{goes_on}\n")
    if not has_tasks(row) and row["item_queue"] is None:
        say(f"(there has been nothing in {queue} yet: is the name right?)")


@click.command(epilog="Example: tq resume mail")
@click.argument("queue")
@connected(Role.ADMIN)
def resume(app: App, as_json: bool, queue: str) -> None:
    """Resume a paused queue."""
    before = _row(app, queue)
    app.call(("get_task_queue", queue), "resume")
    if as_json:
        print_json({"queue": queue, "paused": False})
    elif before["paused"]:
        write(f"{queue} is resumed\n")
    else:
        write(f"{queue} was not paused\n")


def failed(row: dict[str, Any]) -> int:
    return sum(row[state] for state in FAILED)


def paused_words(row: dict[str, Any]) -> str:
    """``paused for 3 min now and 57 min more: the disk is full``"""
    since = "" if row["since"] is None else f" for {span(max(0.0, time.time() - row['since']))}"
    until = row.get("until")  # a master of an earlier version does not say
    more = "" if until is None else f" now and {span(max(0.0, until - time.time()))} more"
    return f"paused{since}{more}" + (f": {row['reason']}" if row["reason"] else "")


def _row(app: App, queue: str) -> dict[str, Any]:
    """The current row of a queue; an empty one if the master does not know it."""
    rows = app.call(("get_queues",), "list")
    no_tasks = dict.fromkeys([*map(str, State), "assigned"], 0)
    nothing = {"name": queue, "paused": False, "item_queue": None, **no_tasks}
    return next((row for row in rows if row["name"] == queue), nothing)


def _check_known(app: App, queue: str) -> None:
    """A mistyped name is no new queue: what is set for it would say nothing, and stay."""
    names = [row["name"] for row in app.call(("get_queues",), "list")]
    if queue in names:
        return
    similar = nearest(queue, names)
    meant = f"did you mean {similar[0]}? `tq queues` lists them" if similar else "`tq queues` lists them"
    raise InvalidArgument(
        f"there has been nothing in queue {queue} yet; {meant}. To set it for what will come, add --create"
    )


def has_tasks(row: dict[str, Any]) -> bool:
    """Whether there are any that are remembered."""
    return any(row[state] for state in State)


def _task_cells(
    row: dict[str, Any], *, with_blocked: bool, with_most: bool, with_end: bool
) -> tuple[object, ...]:
    blocked = ("blocked",) if with_blocked else ()
    most = (count(row["maxsize"]) if row["maxsize"] else "",) if with_most else ()
    return (
        row["name"],
        *(count(row[state]) for state in ("ready", "running", "scheduled", *blocked, "succeeded")),
        count(failed(row)),
        rate(row["rate"]),
        "" if row["oldest_ready_seconds"] is None else span(row["oldest_ready_seconds"]),
        *most,
        *((row["empty_in"] or "",) if with_end else ()),
    )


def _item_cells(row: dict[str, Any]) -> tuple[object, ...]:
    one = row["item_queue"]
    waits = {"to get": one["getting"], "to put": one["putting"], "to join": one["joining"]}
    words = ", ".join(f"{count(calls)} {what}" for what, calls in waits.items() if calls)
    return (
        row["name"],
        one["kind"] + (", shut" if one["shut"] else ""),
        count(row["items"]),
        count(one["maxsize"]) if one["maxsize"] else "",
        count(one["taken"]),
        count(one["unfinished"]),
        rate(one.get("come", 0.0)),  # a master of an earlier version does not say
        rate(one.get("gone", 0.0)),
        words,
    )
