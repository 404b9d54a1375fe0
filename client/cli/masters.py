"""``tq masters list | revoke``"""

from __future__ import annotations

import time
from typing import Final

import click

from ...common.contract.observe import MASTER, MasterRow
from ...common.domain.durations import span
from ...common.domain.model import Role
from ...common.runtime.terminal import say, write
from ..app import App
from .group import ListingGroup
from .options import connected
from .output import ago, print_json, print_table, with_moments

COLUMNS: Final = ("address", "host", "state", "#epoch", "#left", "#up", "#seen", "version", "certificate")


@click.group(cls=ListingGroup, epilog="Example: tq masters")
def masters() -> None:
    """List the masters of the cluster (as `list` does), or revoke one."""


@masters.command("list", epilog="Example: tq masters")
@connected(Role.VIEWER)
def list_masters(app: App, as_json: bool) -> None:
    """List the masters of the cluster: which serves, which stand by.

    epoch counts the take-overs; left is how long the one that serves may be silent
    until another takes over. One that is gone is listed for up to an hour.
    """
    rows = of_cluster(app)
    if as_json:
        print_json(with_moments([for_programs(row) for row in rows]))
        return
    has_shards = any(row.shards is not None for row in rows)
    print_table(
        (*COLUMNS, "shards") if has_shards else COLUMNS,
        [(*_cells(row), _shards(row)) if has_shards else _cells(row) for row in rows],
        empty="the master knows of none",
        spare=("version", "host"),
    )


@masters.command(epilog="Example: tq masters revoke b.example")
@click.argument("name", metavar="HOST")
@connected(Role.ADMIN)
def revoke(app: App, as_json: bool, name: str) -> None:
    """Revoke the certificate of a master: that of a stolen host.

    A master that has it ends, and clients refuse it, once they have been
    connected since. The host joins again with a new one: docs/security.md.
    """
    note = _note(name, of_cluster(app))
    app.call((MASTER.name,), "revoke", name)
    if as_json:
        print_json({"host": name, "state": "revoked"})
    else:
        write(f"{name} is revoked: its certificates that were made until now are refused\n")
    if note:
        say(f"tq: {note}")


def _note(name: str, rows: list[MasterRow]) -> str:
    """What may be wrong with a name; empty: a master that is here shows a certificate of it."""
    of_name = [row for row in rows if row.host == name]
    if any(row.until is not None for row in of_name):
        return ""
    if any(row.address for row in of_name):
        return (
            f"{name} shows the cluster's own certificate, which is not revoked by this; to replace that one: tq-master "
            "--new-certificate, and new join tokens"
        )
    return (
        f"no master that was here in the last hour has a certificate of {name}; `tq-master admit` had said the name that is in it, "
        "and this says it: openssl x509 -noout -subject -in master.crt"
    )


def of_cluster(app: App) -> list[MasterRow]:
    """The one that serves first."""
    rows = [MasterRow(*row) for row in app.call((MASTER.name,), "masters")]
    return sorted(rows, key=lambda row: (not row.serves, row.silent > SILENT_SECONDS, row.address))


SHARDS_SHOWN: Final = 6
SELDOM: Final = ("shards", "revoked")  # which a row may not have
SILENT_SECONDS: Final = 5.0  # a lease and some: one that lives says each second that it is here


def state(row: MasterRow) -> str:
    if row.revoked is not None:
        return "revoked"
    if row.serves:
        return "serves"
    return "silent" if row.silent > SILENT_SECONDS else "stands by"


def for_programs(row: MasterRow) -> dict[str, object]:
    return {name: value for name, value in row._asdict().items() if value is not None or name not in SELDOM}


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
        ago(row.since) if row.address else "",
        span(row.silent) if row.address else "",
        row.version,
        _certificate(row),
    )


def _certificate(row: MasterRow) -> str:
    if row.revoked is not None:
        return time.strftime("revoked %Y-%m-%d", time.gmtime(row.revoked))
    return "the cluster's" if row.until is None else time.strftime("to %Y-%m-%d", time.gmtime(row.until))
