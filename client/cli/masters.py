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
        print_json(with_moments([row._asdict() for row in rows]))
        return
    print_table(
        COLUMNS, [_cells(row) for row in rows], empty="the master knows of none", spare=("version", "host")
    )


def of_cluster(app: App) -> list[MasterRow]:
    """The one that serves first."""
    rows = [MasterRow(*row) for row in app.call((MASTER.name,), "masters")]
    return sorted(rows, key=lambda row: (not row.serves, row.silent > SILENT_SECONDS, row.address))


SILENT_SECONDS: Final = 5.0  # a lease and some: one that lives says each second that it is here


def state(row: MasterRow) -> str:
    if row.serves:
        return "serves"
    return "silent" if row.silent > SILENT_SECONDS else "stands by"


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
