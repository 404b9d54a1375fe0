"""``tq keys add | list | revoke``"""

from __future__ import annotations

import os
import sys

import click

from ...common.domain.model import Role
from ...common.runtime.terminal import say, write
from ..app import App
from .group import GuessingGroup
from .options import connected
from .output import ago, print_json, print_table


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
@connected(Role.ADMIN)
def add(app: App, as_json: bool, role: str, queues: tuple[str, ...], note: str) -> None:
    """Make a key and print its join token; it is shown only once. The token is a secret."""
    token = app.call(("get_keys",), "add", role, list(queues), note)
    if as_json:
        print_json({"token": token, "role": role, "queues": list(queues)})
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
    shown = [
        (
            row["id"],
            row["role"],
            row["state"],
            " ".join(row["queues"]) or "all",
            ago(row["created"]),
            ago(row["last_used"]) or "never",
            row["note"],
        )
        for row in rows
    ]
    print_table(("key", "role", "state", "queues", "#age", "#used", "note"), shown, empty="no keys")


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
