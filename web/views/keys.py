"""Keys: what each may do and have, when it was used last; revoke one."""

from __future__ import annotations

from ...client.cli.keys import note_of, used
from ...client.cli.output import count, memory, with_moments
from ...common.contract.keys import KEYS
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest


def keys(login: Login, asked: ViewRequest) -> ShownPage:
    rows = login.app.call((KEYS.name,), "list")
    return ShownPage(
        title="Keys",
        template="keys.html",
        command="tq keys list",
        rows=lambda: with_moments(rows),
        context={
            "rows": sorted(rows, key=lambda row: (row["state"] == "revoked", row["role"], row["id"])),
            "with_tenant": any(row.get("tenant") for row in rows),
            "with_quota": any(row.get("queued") is not None for row in rows),
            "used": used,
            "note_of": note_of,
            "count": count,
            "memory": memory,
        },
    )


def revoke(login: Login, asked: ViewRequest) -> Done:
    key = asked.path["id"]
    login.app.call((KEYS.name,), "revoke", key)
    return Done(note=f"{key} is revoked: it is refused from now on, and its connections are closed")
