"""``tq data list | show | delete``: the named dicts, lists, Namespaces, Values and Arrays of managers."""

from __future__ import annotations

from typing import Any, Final

import click

from ...common.domain.model import Role
from ...common.runtime.terminal import write, write_json
from ...common.values.codec import decode
from ..app import App
from .group import ListingGroup
from .options import connected
from .output import count, plain, print_json, print_table

COLUMNS: Final = ("name", "type", "#bytes")


@click.group(cls=ListingGroup, epilog="Example: tq data")
def data() -> None:
    """List named dicts, lists and values; print or delete one."""


@data.command("list", epilog="Example: tq data")
@connected(Role.VIEWER)
def list_data(app: App, as_json: bool) -> None:
    """List them, with the bytes that each uses on the master's disk."""
    answer = app.call(("get_data",), "list")
    if as_json:
        print_json(answer["rows"])
        return
    cells = [(row["name"], row["type"], count(row["size_bytes"])) for row in answer["rows"]]
    print_table(COLUMNS, cells, empty="no named dicts, lists or values")
    if answer["left_out"]:
        write(f"… and {count(answer['left_out'])} more\n")


@data.command(epilog="Example: tq data show counts")
@click.argument("name")
@connected(Role.VIEWER)
def show(app: App, as_json: bool, name: str) -> None:
    """Print a value as JSON; types that JSON lacks become text."""
    row = app.call(("get_data",), "show", name)
    value = plain(value_of(row))
    if as_json:
        print_json({"name": name, "type": row["type"], "value": value})
    else:
        write_json(value, indent=2, default=str)


@data.command(epilog="Example: tq data delete counts")
@click.argument("name")
@connected(Role.ADMIN)
def delete(app: App, as_json: bool, name: str) -> None:
    """Delete a value. Programs that still use it get an error; the next use of its name creates a new one."""
    kind = app.call(("get_data",), "delete", name)
    if as_json:
        print_json({"name": name, "type": kind, "deleted": True})
    else:
        write(f"{kind} {name} is deleted\n")


def value_of(row: dict[str, Any]) -> Any:
    """What ``show`` answered, as one value."""
    return _whole(row["type"], decode(row["parts"], as_is=True, unmade=True, judged=True))


def _whole(kind: str, parts: list[Any]) -> Any:
    match kind:
        case "dict" | "Namespace":
            return dict(zip(parts[::2], parts[1::2], strict=True))
        case "Value":
            return parts[1]
        case "Array":
            return list(parts[1])
    return parts
