"""``tq audit``"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Final

import click

from ...common.contract.audit import AUDIT, AuditRow
from ...common.contract.rows import all_from_wire
from ...common.domain.model import Role
from ..app import App
from .options import connected
from .output import count, iso, print_json, print_table
from .where import age

COLUMNS: Final = ("when", "key", "from", "what", "#reached", "#calls")
PAGE: Final = 500  # rows that the master answers at once
LIMIT_MAX: Final = 200_000  # more than the master keeps


@click.command(epilog="Example: tq audit --since 1h --key 5f3a9c0be211")
@click.option("--since", metavar="TIME", help="In the last 30s, 10min, 2h or 7d.  [as far back as it goes]")
@click.option("--key", metavar="ID", help="Only by this key.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=50, help="At most so many.  [50]")
@connected(Role.VIEWER)
def audit(app: App, as_json: bool, since: str | None, key: str | None, limit: int) -> None:
    """Who changed what: the newest first.

    Pauses, strikes, purges, drains, cancels, retries, limits, tenants,
    schedules, keys and broken locks, of the last 90 days.
    """
    moment = None if since is None else time.time() - age(since, "since")
    rows = read(app, limit, moment, key)
    if as_json:
        print_json([for_programs(row) for row in rows])
        return
    print_table(COLUMNS, map(_cells, rows), empty="nothing was changed", spare=("#calls", "from"))


def read(app: App, limit: int, since: float | None = None, key: str | None = None) -> list[AuditRow]:
    """The newest rows, in as many calls as it takes. ``since``: Unix seconds; ``key``: the id of one."""
    rows: list[AuditRow] = []
    while len(rows) < limit:
        before = rows[-1].number if rows else None
        most = min(PAGE, limit - len(rows))
        found = all_from_wire(AuditRow, app.call((AUDIT.name,), "list", most, before, since, key))
        rows += found
        if len(found) < most:
            break
    return rows


def for_programs(row: AuditRow) -> dict[str, Any]:
    return {**row._asdict(), "at": iso(row.at), "last": iso(row.last), "node": row.node.hex()}


def _cells(row: AuditRow) -> tuple[object, ...]:
    when = datetime.fromtimestamp(row.at).strftime("%Y-%m-%d %H:%M:%S")
    place = f"{row.address} {row.node.hex()[:8]}"
    reached = "" if row.reached is None else count(row.reached)
    return (when, row.key, place, f"{row.words} {row.target}".strip(), reached, count(row.calls))
