"""``tq tenants ls | set | rm``"""

from __future__ import annotations

from typing import Any, Final

import click

from ...common.domain.limit_parts import division_in_words
from ...common.domain.model import Role
from ...common.domain.quota_parts import in_shards_of
from ...common.domain.tenants import NO_TERMS, check_tenant
from ...common.errors import InvalidArgument
from ...common.runtime.terminal import write
from ..app import App
from .bounds import bound
from .group import GuessingGroup
from .options import connected
from .output import ago, count, print_json, print_table, with_moments
from .portions import rows_by_name

TENANTS: Final = ("get_tenants",)
COLUMNS: Final = ("tenant", "#weight", "#at once", "#running", "#waiting", "#held", "note")
ALL: Final = "all"  # typed for: no queues are named
UNNAMED: Final = "(none)"  # shown for: tasks without a tenant


@click.group(cls=GuessingGroup, epilog="Example: tq tenants set acme --weight 3 --max-running 20")
def tenants() -> None:
    """List tenants of tasks; set their weights and caps. See tenant=."""


@tenants.command("ls", epilog="Example: tq tenants ls")
@connected(Role.VIEWER)
def list_tenants(app: App, as_json: bool) -> None:
    """List tenants: what is set, what runs and waits of each.

    Weight: tasks in a turn. At once: how many may run. Waiting: tasks that are
    ready; held: those of them that wait for tasks of their tenant to end.
    """
    rows = rows_by_name(app, TENANTS, None)
    if as_json:
        print_json(with_moments(rows))
        return
    print_table(
        COLUMNS, map(_cells, rows), empty="no tenants yet; a task says its: @app.task(tenant='{customer}')"
    )


@tenants.command("set", epilog="Example: tq tenants set acme --weight 3 --max-running 20")
@click.argument("name", metavar="TENANT")
@click.option("--weight", type=int, metavar="N", help="Tasks in each of its turns.  [1]")
@click.option("--max-running", metavar="N", help="So many at once, or none: any.  [none]")
@click.option(
    "--shards-of", "queues", multiple=True, metavar="QUEUE", help="Cap the shards of these, or all.  [all]"
)
@connected(Role.ADMIN)
def change(
    app: App, as_json: bool, name: str, weight: int | None, max_running: str | None, queues: tuple[str, ...]
) -> None:
    """Set what a tenant may have, at once and for good.

    Its tasks count in all queues. It may have none yet. In a cluster of several
    shards each has a part of a cap; --shards-of names the queues that its tasks
    are in, so that only the shards of these have one: repeat it for each.
    """
    changes: dict[str, Any] = {}
    if weight is not None:
        changes["weight"] = weight
    if max_running is not None:
        changes["max_running"] = bound("--max-running", max_running)
    if ALL in queues and len(queues) > 1:
        raise InvalidArgument(
            f"--shards-of {ALL} stands alone: it divides a cap over all shards, so no queue is named besides"
        )
    if queues:
        changes["shards_of"] = [] if queues == (ALL,) else list(queues)
    if not changes:
        raise InvalidArgument("say what it may have: --weight 3, --max-running 20, or both")
    check_tenant(name)
    NO_TERMS.with_changes(changes)
    row = app.call(TENANTS, "set", name, changes)
    if as_json:
        print_json(with_moments(row))
        return
    cap = "any number" if row["max_running"] is None else f"at most {count(row['max_running'])}"
    write("; ".join((f"{name}: weight {row['weight']}, {cap} at once", *notes_of(row))) + "\n")


@tenants.command("rm", epilog="Example: tq tenants rm acme")
@click.argument("name", metavar="TENANT")
@connected(Role.ADMIN)
def remove(app: App, as_json: bool, name: str) -> None:
    """Forget what is set for a tenant: weight 1, any number at once.

    Its tasks stay.
    """
    app.call(TENANTS, "remove", name)
    if as_json:
        print_json({"tenant": name, "removed": True})
    else:
        write(f"{name}: weight 1, any number at once\n")


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        row["name"] or UNNAMED,
        row["weight"],
        "" if row["max_running"] is None else count(row["max_running"]),
        *(count(row[name]) for name in ("running", "waiting", "held")),
        "; ".join(
            notes_of(row) if row["since"] is None else (*notes_of(row), f"set {ago(row['since'])} ago")
        ),
    )


def notes_of(row: dict[str, Any]) -> list[str]:
    """Of its cap over several shards."""
    notes: list[str] = []
    if row.get("over", 1) > 1:
        notes.append(division_in_words(row["max_running"], row["over"]))
    if row.get("shards_of"):
        notes.append(in_shards_of(row["shards_of"], row.get("over", 1)))
    if row.get("stranded"):
        notes.append(f"{count(row['stranded'])} wait in other shards: `tq why` on one of them says more")
    if "uneven" in row:
        notes.append("not the same in all shards: set it again")
    return notes
