"""``tq keys add | list | revoke``"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import click

from ...common.domain.model import Role
from ...common.runtime.terminal import say, write
from ..app import App
from .group import GuessingGroup
from .options import connected
from .output import ago, print_json, print_table

COLUMNS: Final = ("key", "role", "state", "queues", "tenant", "#age", "#used", "note")
SELDOM: Final = ("tenant",)  # columns that are shown if some key has something in them


@click.group(cls=GuessingGroup, epilog="Example: tq keys add --role worker --queue 'gpu.*'")
def keys() -> None:
    """Make, list and revoke keys. Needs an admin key."""


@keys.command(epilog="Example: tq keys add --role worker --queue 'gpu.*' > worker.key")
@click.option(
    "--role", type=click.Choice([str(role) for role in Role]), required=True, help="Its permissions."
)
@click.option(
    "--queue", "queues", multiple=True, metavar="GLOB", help="Only these queues; repeatable.  [all]"
)
@click.option("--note", default="", metavar="TEXT", help="Its owner or purpose.")
@click.option("--tenant", default="", metavar="NAME", help="Of all tasks that it submits.  [as they say]")
@connected(Role.ADMIN)
def add(app: App, as_json: bool, role: str, queues: tuple[str, ...], note: str, tenant: str) -> None:
    """Make a key and print its join token; it is shown only once. The token is a secret."""
    token = app.call(("get_keys",), "add", role, list(queues), note, *([tenant] if tenant else []))
    if as_json:
        print_json({"token": token, "role": role, "queues": list(queues), "tenant": tenant})
        return
    write(token + "\n")
    if sys.stdout.isatty():
        url = (os.environ.get("TQ_URL") or "HOST:5000").removeprefix("tq://")
        use = f"tq-worker --connect {url} --authkey-file FILE MODULE" if role == Role.WORKER else "tq …"
        say(f"\nPut it into a file only its user can read, or:\n  TQ_AUTHKEY={token} {use}")


@keys.command("list", epilog="Example: tq keys list")
@connected(Role.ADMIN)
def list_keys(app: App, as_json: bool) -> None:
    """List keys: role, queues, last use. No secrets: the master does not store them."""
    rows = app.call(("get_keys",), "list")
    if as_json:
        print_json(rows)
        return
    shown = [_cells(row) for row in rows]
    unused = {column for column in SELDOM if not any(cells[column] for cells in shown)}
    columns = [column for column in COLUMNS if column not in unused]
    print_table(columns, [[cells[column] for column in columns] for cells in shown], empty="no keys")


def _cells(row: dict[str, Any]) -> dict[str, object]:
    return {
        "key": row["id"],
        "role": row["role"],
        "state": row["state"],
        "queues": " ".join(row["queues"]) or "all",
        "tenant": row.get("tenant", ""),
        "#age": ago(row["created"]),
        "#used": ago(row["last_used"]) or "never",
        "note": row["note"],
    }


@keys.command(epilog="Example: tq keys revoke 5f3a9c0be211")
@click.argument("key_id", metavar="KEY")
@connected(Role.ADMIN)
def revoke(app: App, as_json: bool, key_id: str) -> None:
    """Revoke a key: it is refused from now on, and its connections are closed."""
    app.call(("get_keys",), "revoke", key_id)
    if as_json:
        print_json({"key": key_id, "state": "revoked"})
    else:
        write(f"{key_id} is revoked\n")
