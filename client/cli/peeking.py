"""``tq queues peek``: the first items of a queue, which stay where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from ...common.contract.items import QUEUE
from ...common.domain.model import Role
from ...common.errors import DecodeError
from ...common.runtime.cleaning import clean_line
from ...common.values.codec import decode
from ...common.values.failure import show_bytes
from ..app import App
from .options import connected
from .output import plain, print_json, print_table, shown
from .redact import redacted

SHOWN_MAX: Final = 10
COLUMNS: Final = ("#place", "#bytes", "item")


@click.command("peek", epilog="Example: tq queues peek photos -n 20")
@click.argument("queue")
@click.option(
    "-n",
    "most",
    type=click.IntRange(1, 100),
    default=SHOWN_MAX,
    metavar="N",
    help="So many, at most 100 (10).",
)
@connected(Role.VIEWER)
def peek(app: App, as_json: bool, queue: str, most: int) -> None:
    """Show the first items of a queue of items; they stay where they are.

    Items that a consumer has taken are not among them. What looks like a secret is
    hidden, and of an item of more than 256 KiB divided by N only the size is shown.
    """
    rows = peeked(app, queue, most)
    if as_json:
        print_json([{**row, "item": plain(row["item"])} for row in rows])
        return
    cells = [(row["place"], show_bytes(row["bytes"]), clean_line(in_words(row))) for row in rows]
    print_table(COLUMNS, cells, empty=f"nothing waits in {queue}")


def peeked(app: App, queue: str, most: int = SHOWN_MAX) -> list[dict[str, Any]]:
    """``place``, ``bytes`` and ``item`` of each, secrets hidden; ``left_out``: the reason, where an item is not shown."""
    found: Sequence[Any] = app.call((QUEUE.name, queue), "peek", most)
    return [_row(place, size, payload) for place, (size, payload) in enumerate(found, 1)]


def _row(place: int, size: int, payload: bytes | None) -> dict[str, Any]:
    row: dict[str, Any] = {"place": place, "bytes": size, "item": None, "left_out": None}
    if payload is None:
        return {**row, "left_out": "too large to show"}
    try:
        return {**row, "item": redacted(decode(payload, as_is=True, unmade=True, judged=True))}
    except DecodeError as error:
        return {**row, "left_out": str(error)}


def in_words(row: dict[str, Any]) -> str:
    return f"<{row['left_out']}>" if row["left_out"] else shown(row["item"])
