"""``tq locks list | break | delete``: named locks, semaphores, events and barriers."""

from __future__ import annotations

import time
from typing import Any, Final

import click

from ...common.domain.durations import span
from ...common.domain.model import Role
from ...common.runtime.terminal import write
from ..app import App
from .group import ListingGroup
from .options import connected
from .output import count, iso, print_json, print_table

COLUMNS: Final = ("name", "kind", "state", "holder", "#for", "#token", "#waiting")
KINDS: Final = ("lock", "event", "barrier")
NODE_CHARS: Final = 8


@click.group(cls=ListingGroup, epilog="Example: tq locks")
def locks() -> None:
    """List named locks, semaphores, events, barriers; free or delete one."""


@locks.command("list", epilog="Example: tq locks")
@connected(Role.VIEWER)
def list_locks(app: App, as_json: bool) -> None:
    """List them with their holders and waiters.

    A holder is shown by its address and node; `token` is its fencing token. A holder
    that is not connected loses its lock after the seconds shown.
    """
    answer = app.call(("get_locks",), "list")
    if as_json:
        print_json([for_programs(row) for row in answer["rows"]])
        return
    cells = [line for row in answer["rows"] for line in _cells(row)]
    print_table(COLUMNS, cells, empty="no named locks, events or barriers")
    if answer["left_out"]:
        write(f"… and {count(answer['left_out'])} more that are not in use\n")


@locks.command("break", epilog="Example: tq locks break nightly-report")
@click.argument("name")
@click.option("--token", type=int, metavar="N", help="Only the holder with this fencing token.")
@connected(Role.ADMIN)
def break_lock(app: App, as_json: bool, name: str, token: int | None) -> None:
    """Take a lock or semaphore away from its holder.

    The next waiter gets it. Use this for a holder that is alive but stuck; a dead one
    loses its lock by itself. The holder gets LockLost when it releases; until then
    only the fencing token keeps its writes out.
    """
    lost = app.call(("get_locks",), "take_away", name, token)
    if as_json:
        print_json({"name": name, "lost": lost})
    else:
        # A semaphore may have thousands of holders.
        which = "token " + ", ".join(map(str, lost)) if len(lost) < 10 else f"{count(len(lost))} holders"
        write(f"{name} was taken from {which}\n")


@locks.command(epilog="Example: tq locks delete nightly-report")
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), help="If the name is ambiguous.")
@connected(Role.ADMIN)
def delete(app: App, as_json: bool, name: str, kind: str | None) -> None:
    """Delete a lock, event or barrier that is not in use.

    It must have no holder and no waiter. The next use of its name creates a new one. After the master's next start the
    fencing tokens of a new lock begin again at 1: delete a lock only if no resource compares its tokens.
    """
    deleted = app.call(("get_locks",), "delete", name, kind)
    if as_json:
        print_json({"name": name, "kind": deleted, "deleted": True})
    else:
        write(f"{deleted} {name} is deleted\n")


def for_programs(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "holders": [{**holder, "since": iso(holder["since"])} for holder in row["holders"]]}


def _cells(row: dict[str, Any]) -> list[tuple[object, ...]]:
    """A line for each holder, or one line without a holder."""
    waiting = count(row["waiters"]) if row["waiters"] else ""
    first = (row["name"], row["kind"], _state(row))
    if not row["holders"]:
        return [(*first, "", "", "", waiting)]
    lines: list[tuple[object, ...]] = []
    for index, holder in enumerate(row["holders"]):
        since = holder["since"]
        lines.append(
            (
                *(first if index == 0 else ("", "", "")),
                _holder(holder),
                "" if since is None else span(max(0.0, time.time() - since)),
                holder["token"],
                waiting if index == 0 else "",
            )
        )
    # The answer of the master is bounded.
    unseen = row["held"] - len(row["holders"])
    if unseen:
        lines.append(("", "", "", f"… and {count(unseen)} more", "", "", ""))
    return lines


def _state(row: dict[str, Any]) -> str:
    match row["kind"]:
        case "event":
            return "set" if row["value"] else "not set"
        case "barrier":
            return "broken" if row["value"] else f"{row['waiters']} of {row['size']} here"
        case "lock" | "rlock":
            return "held" if row["held"] else "free"
    return f"{count(row['value'])} free"


def _holder(holder: dict[str, Any]) -> str:
    node, left = holder["node"][:NODE_CHARS], holder["lost_in_seconds"]
    if holder["address"] is not None:
        return f"{holder['address']} ({node})"
    return f"{node}, gone" + ("" if left is None else f", loses it in {left:.0f} s")
