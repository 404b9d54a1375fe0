"""Named values: the dicts, lists, Namespaces, Values and Arrays of managers; look into one, delete one."""

from __future__ import annotations

import json
import shlex
from typing import Any, Final

from ...client.cli.data import value_of
from ...client.cli.output import plain
from ...client.cli.redact import redacted
from ...common.contract.data import DATA
from ...common.errors import InvalidArgument
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest

LIVE_SECONDS: Final = 3.0  # the watcher does not see them


def data(login: Login, asked: ViewRequest) -> ShownPage:
    name = asked.get("name")
    if name:
        return _one(login, name)
    answer = login.app.call((DATA.name,), "list")
    return ShownPage(
        title="Data",
        template="data.html",
        command="tq data",
        every=LIVE_SECONDS,
        rows=lambda: answer["rows"],
        context={"rows": answer["rows"], "left_out": answer["left_out"]},
    )


def _one(login: Login, name: str) -> ShownPage:
    row = login.app.call((DATA.name,), "show", name)
    value = plain(value_of(row))
    shown = json.dumps(redacted(value), indent=2, ensure_ascii=False, default=str)
    return ShownPage(
        title=f"{row['type']} {name}",
        template="datum.html",
        command=shlex.join(["tq", "data", "show", name]),
        every=LIVE_SECONDS,
        context={"name": name, "type": row["type"], "shown": shown, "elements": _elements(value)},
    )


def _elements(value: Any) -> int | None:
    return len(value) if isinstance(value, dict | list) else None


def delete(login: Login, asked: ViewRequest) -> Done:
    name = asked.get("name")
    if not name:
        raise InvalidArgument("which value? The form names none")
    kind = login.app.call((DATA.name,), "delete", name)
    return Done(note=f"the {kind} {name} is deleted", to="/data")
