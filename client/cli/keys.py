"""``tq keys add | set | list | revoke``"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from typing import Any, Final

import click

from ...common.domain.key_quota import NO_QUOTA
from ...common.domain.limit_parts import division_in_words
from ...common.domain.model import Role
from ...common.errors import InvalidArgument
from ...common.runtime.terminal import say, write
from ..app import App
from .bounds import NONE, bound, named
from .group import GuessingGroup
from .options import connected
from .output import ago, count, print_json, print_table, size, with_moments

COLUMNS: Final = ("key", "role", "state", "queues", "tenant", "#queued", "#bytes", "#age", "#used", "note")
SELDOM: Final = ("tenant", "#queued", "#bytes")  # columns that are shown if some key has something in them

TASKS_HELP: Final = "Tasks that have not ended, or none.  [none]"
BYTES_HELP: Final = "Of their arguments: 500M, 1G.  [none]"
UNEVEN: Final = "(not the same in all shards: change it again)"
_SIZE: Final = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) *([KMGT]?)(i?)B?", re.IGNORECASE)


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
@click.option("--tenant", metavar="NAME", help="Of all tasks that it submits.  [as they say]")
@click.option("--max-queued", metavar="N", help=TASKS_HELP)
@click.option("--max-queued-bytes", metavar="SIZE", help=BYTES_HELP)
@connected(Role.ADMIN)
def add(
    app: App,
    as_json: bool,
    role: str,
    queues: tuple[str, ...],
    note: str,
    tenant: str | None,
    max_queued: str | None,
    max_queued_bytes: str | None,
) -> None:
    """Make a key and print its join token; it is shown only once. The token is a secret."""
    quota = _quota(max_queued, max_queued_bytes)
    tenant = named("--tenant", tenant, "acme") or ""
    more: list[Any] = [tenant, quota] if quota else [tenant] if tenant else []
    token = app.call(("get_keys",), "add", role, list(queues), note, *more)
    if as_json:
        print_json({"token": token, "role": role, "queues": list(queues), "tenant": tenant, **quota})
        return
    write(token + "\n")
    # In a pipe the output is the token alone.
    if sys.stdout.isatty():
        url = (os.environ.get("TQ_URL") or "HOST:5000").removeprefix("tq://")
        use = f"tq-worker --connect {url} --authkey-file FILE MODULE" if role == Role.WORKER else "tq …"
        say(f"\nPut it into a file only its user can read, or:\n  TQ_AUTHKEY={token} {use}")


@keys.command("set", epilog="Example: tq keys set 5f3a9c0be211 --max-queued 100000")
@click.argument("key_id", metavar="KEY")
@click.option("--max-queued", metavar="N", help=TASKS_HELP)
@click.option("--max-queued-bytes", metavar="SIZE", help=BYTES_HELP)
@connected(Role.ADMIN)
def change(
    app: App, as_json: bool, key_id: str, max_queued: str | None, max_queued_bytes: str | None
) -> None:
    """Change the quota of a key, at once and for good.

    Its tasks count until they have ended; a submit beyond it waits.
    """
    quota = _quota(max_queued, max_queued_bytes)
    if not quota:
        raise InvalidArgument("say what it may have: --max-queued 100000, --max-queued-bytes 1G, or none")
    app.call(("get_keys",), "set", key_id, quota)
    if as_json:
        print_json({"key": key_id, **quota})
    else:
        write(f"{key_id} is changed{_in_parts(app, key_id)}\n")


def _in_parts(app: App, key_id: str) -> str:
    """In a cluster of several shards."""
    if app.session.shards == 1:
        return ""
    rows = [row for row in app.call(("get_keys",), "list") if row["id"] == key_id]
    over = max((row.get("over", 1) for row in rows), default=1)
    if over == 1:
        return ""
    said = division_in_words(rows[0]["max_queued"], over)
    return f"; {said}. A key of queues in one shard has all of its quota there"


def _quota(max_queued: str | None, max_queued_bytes: str | None) -> dict[str, int | None]:
    """What was given. Raises InvalidArgument."""
    quota: dict[str, int | None] = {}
    if max_queued is not None:
        quota["max_queued"] = bound("--max-queued", max_queued)
    if max_queued_bytes is not None:
        quota["max_queued_bytes"] = None if max_queued_bytes == NONE else _size(max_queued_bytes)
    if quota:
        NO_QUOTA.with_changes(quota)
    return quota


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InvalidArgument(
            f"--max-queued-bytes is a size such as 500M or 1GiB, or none; not {text[:40]!r}"
        )
    return int(float(found[1]) * (1024 if found[3] else 1000) ** " KMGT".index(found[2].upper() or " "))


@keys.command("list", epilog="Example: tq keys list")
@connected(Role.ADMIN)
def list_keys(app: App, as_json: bool) -> None:
    """List keys: role, queues, last use. No secrets: the master does not store them."""
    rows = app.call(("get_keys",), "list")
    if as_json:
        print_json(with_moments(rows))
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
        "#queued": used(row, "queued", count),
        "#bytes": used(row, "queued_bytes", size),
        "#age": ago(row["created"]),
        "#used": ago(row["last_used"]) or ("" if row["created"] is None else "never"),
        "note": note_of(row),
    }


def used(row: dict[str, Any], what: str, show: Callable[[int], str]) -> str:
    """What is used of a quota, in words: ``1,200 of 100,000, over 16 shards``; empty: it has none."""
    if row.get(what) is None:
        return ""
    most, over = row[f"max_{what}"], row.get("over", 1)
    parts = f", over {over:,} shards" if most is not None and over > 1 else ""
    return show(row[what]) + ("" if most is None else f" of {show(most)}{parts}")


def note_of(row: dict[str, Any]) -> str:
    """Of a key, with what is to be done about it."""
    return " ".join(filter(None, (row["note"], UNEVEN if "uneven" in row else "")))


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
