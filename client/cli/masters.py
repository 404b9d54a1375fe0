"""``tq masters``"""

from __future__ import annotations

import time
from typing import Final

import click

from ...common.contract.observe import MASTER, MasterRow
from ...common.domain.durations import span
from ...common.domain.model import Role
from ..app import App
from .options import connected
from .output import ago, print_json, print_table, with_moments

COLUMNS: Final = ("address", "host", "state", "#epoch", "#left", "#up", "#seen", "version", "certificate")


@click.command(epilog="Example: tq masters")
@connected(Role.VIEWER)
def masters(app: App, as_json: bool) -> None:
    """List the masters of the cluster: which serves, which stand by.

    epoch counts the take-overs; left is how long the one that serves may be silent
    until another takes over. One that is gone is listed for up to an hour.
    """
    rows = of_cluster(app)
    if as_json:
        print_json(with_moments([_record(row) for row in rows]))
        return
    has_shards = any(row.shards is not None for row in rows)
    print_table(
        (*COLUMNS, "shards") if has_shards else COLUMNS,
        [(*_cells(row), _shards(row)) if has_shards else _cells(row) for row in rows],
        empty="the master knows of none",
        spare=("version", "host"),
    )


def of_cluster(app: App) -> list[MasterRow]:
    """The one that serves first."""
    rows = [MasterRow(*row) for row in app.call((MASTER.name,), "masters")]
    return sorted(rows, key=lambda row: (not row.serves, row.silent > SILENT_SECONDS, row.address))


SHARDS_SHOWN: Final = 6
SILENT_SECONDS: Final = 5.0  # a lease and some: one that lives says each second that it is here


def state(row: MasterRow) -> str:
    if row.serves:
        return "serves"
    return "silent" if row.silent > SILENT_SECONDS else "stands by"


def _record(row: MasterRow) -> dict[str, object]:
    record = row._asdict()
    if row.shards is None:
        del record["shards"]
    return record


def _shards(row: MasterRow) -> str:
    """Numbers, as long as they are few."""
    numbers = row.shards or []
    if len(numbers) <= SHARDS_SHOWN:
        return ", ".join(map(str, numbers))
    return f"{len(numbers)}: {numbers[0]}, {numbers[1]} … {numbers[-1]}"


def _cells(row: MasterRow) -> tuple[object, ...]:
    return (
        row.address,
        row.host,
        state(row),
        "" if row.epoch is None else row.epoch,
        "" if row.left is None else f"{row.left:.1f} s",
        ago(row.since),
        span(row.silent),
        row.version,
        "the cluster's" if row.until is None else time.strftime("to %Y-%m-%d", time.gmtime(row.until)),
    )
