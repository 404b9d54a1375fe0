"""``tq workers``, ``tq drain``"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

from ...common.domain.amounts import THOUSANDTHS, show_amount, units
from ...common.domain.model import Role
from ...common.domain.probe import PROBE
from ...common.runtime.pool_spec import PROCESS
from ...common.runtime.terminal import console, say, write
from ...common.values.brief import few
from ..app import App
from .fleet import fleet
from .options import connected
from .output import CellTexts, ago, memory, print_json, print_table, rate, with_moments
from .ran import print_ran, read
from .signatures import TaskSignature, signatures
from .where import age

OF_ALL: Final = ("node", "host", "state", "#busy", "#rate", "#memory", "version", "#seen")
OF_SOME: Final = ("pools", "labels", "free")
POLL_SECONDS: Final = 0.5


@click.command(epilog="Example: tq workers --tasks")
@click.option(
    "--tasks", is_flag=True, help="Also the tasks that each serves, with what they take, and its queues."
)
@click.option("--ran", metavar="AGE", help="Instead what each ran in the last 30s, 10min, 2h.")
@connected(Role.VIEWER)
def workers(app: App, as_json: bool, tasks: bool, ran: str | None) -> None:
    """List workers: state, busy slots, rate, memory, last contact, pools, labels, free resources."""
    if ran is not None:
        print_ran(read(app, age(ran, "ran")), as_json=as_json)
        return
    living, absent = found = fleet([with_units(row) for row in app.call(("get_workers",), "list")])
    said = signatures(app, sorted({name for row in living for name in row["tasks"]})) if tasks else {}
    if as_json:
        print_json(
            with_moments([*(_with_signatures(row, said) if tasks else row for row in living), *absent])
        )
        return
    rows = living
    shown: list[tuple[object, ...]] = [
        (
            row["node"][:8],
            row["host"],
            row["state"],
            f"{row['running']}/{row['slots']}",
            rate(row["rate"]),
            memory(row["memory_bytes"]),
            row["version"],
            ago(row["last_seen"]),
            CellTexts(map(pool_in_words, row["pools"])),
            " ".join(f"{name}={value}" for name, value in row["labels"].items()),
            " ".join(_free(name, **amounts) for name, amounts in row["resources"].items()),
        )
        for row in rows
    ]
    # 80 columns are few: of these only what some worker has.
    has = {
        "pools": has_other_pools(rows),
        "labels": any(row["labels"] for row in rows),
        "free": any(row["resources"] for row in rows),
    }
    columns = [*OF_ALL, *(name for name in OF_SOME if has[name])]
    places = [place for place, name in enumerate((*OF_ALL, *OF_SOME)) if name in columns]
    print_table(
        columns,
        [tuple(row[place] for place in places) for row in shown],
        empty="no workers; start one with tq-worker --connect … MODULE",
    )
    if absent:
        write(f"\n{found.absent_in_words(time.time())}\n")
    if tasks:
        for row in rows:
            _say_what_it_serves(row, said)


@click.command(epilog="Example: tq drain crow --wait")
@click.argument("worker")
@click.option("--wait", is_flag=True, help="Wait until it has ended.")
@connected(Role.ADMIN)
def drain(app: App, as_json: bool, worker: str, wait: bool) -> None:
    """Let a worker finish its running tasks, return the others and end.

    WORKER: its host, or the start of its node as `tq workers` lists it.
    """
    found = app.call(("get_workers",), "drain", worker)
    if wait:
        try:
            _until_gone(app, found)
        except KeyboardInterrupt:
            say(f"\ntq: no longer waiting; {found['host']} goes on draining")
            raise SystemExit(1) from None
    if as_json:
        print_json({**with_moments(found), "draining": not wait, "gone": wait})
    else:
        done = "is gone" if wait else "is draining"
        write(f"{found['host']} ({found['node'][:8]}) {done}\n")


def with_units(row: dict[str, Any]) -> dict[str, Any]:
    """A row of which people and programs read amounts in units, and not in thousandths."""
    resources = {
        name: {"all": units(there), "free": units(free)}
        for name, (there, free) in row.get("resources", {}).items()
    }
    return {
        **row,
        "resources": resources,
        "pools": row.get("pools", []),
    }  # an older master says nothing of them


def has_other_pools(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any of these workers has other pools than one of processes, whose slots are the worker's."""
    return any(
        len(row["pools"]) > 1 or not one["pool"].startswith(PROCESS) for row in rows for one in row["pools"]
    )


def pool_in_words(pool: Mapping[str, Any]) -> str:
    """``async:500@fetch 3/500``"""
    queues = "@" + few(pool["queues"]).replace(", ", ",") if pool["queues"] else ""
    return f"{pool['pool']}{queues} {pool['busy']}/{pool['slots']}"


def _free(name: str, *, all: float, free: float) -> str:
    there, left = (show_amount(round(amount * THOUSANDTHS)) for amount in (all, free))
    return f"{name}={left}/{there}"


def _until_gone(app: App, found: dict[str, Any]) -> None:
    from rich.markup import escape

    screen, pause = console(stderr=True), threading.Event()
    host = escape(found["host"])
    with screen.status(f"{host}: draining") as status:  # nothing is shown where no terminal is
        while (row := _row(app, found["node"])) is not None and (row["connected"] or row["leased"]):
            where = "" if row["connected"] else f", {row['state']}"
            status.update(f"{host}: {row['leased']:,} tasks to finish{where}")
            pause.wait(POLL_SECONDS)


def _row(app: App, node: str) -> dict[str, Any] | None:
    return next((row for row in app.call(("get_workers",), "list") if row["node"] == node), None)


def _with_signatures(row: dict[str, Any], said: Mapping[str, TaskSignature]) -> dict[str, Any]:
    return {**row, "signatures": {name: str(said[name]) for name in row["tasks"] if name in said}}


def _say_what_it_serves(row: dict[str, Any], said: Mapping[str, TaskSignature]) -> None:
    queues = " ".join(row["queues"] or ["all queues"])
    write(f"\n{row['host']} ({row['node'][:8]}) serves {queues}:\n")
    names = [
        *(f"{name}{said.get(name, '')}" for name in row["tasks"] if name != PROBE),
        *(f"{pattern} (by --allow)" for pattern in row["allow"]),
    ]
    write("".join(f"  {name}\n" for name in names))
