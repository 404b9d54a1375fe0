"""The audit log: who changed what, the newest first."""

from __future__ import annotations

import shlex
from typing import Final

from ...client.cli.audit import for_programs, read
from ...common.contract.audit import AUDIT, AuditRow
from ...common.contract.rows import all_from_wire
from ...common.errors import InvalidArgument
from ..logins import Login
from ..page import ShownPage, ViewRequest

ROWS: Final = 100  # of a page
EXPORTED_MAX: Final = 10_000  # rows of a file; `tq audit --limit N --json` goes as far as the log
LIVE_SECONDS: Final = 5.0  # the watcher does not see it


def audit(login: Login, asked: ViewRequest) -> ShownPage:
    key, before = asked.get("key") or None, _place(asked.get("before"))
    found = all_from_wire(AuditRow, login.app.call((AUDIT.name,), "list", ROWS, before, None, key))
    return ShownPage(
        title="Audit log",
        template="audit.html",
        command=shlex.join(["tq", "audit", *(["--key", key] if key else [])]),
        every=None if before else LIVE_SECONDS,
        rows=lambda: [for_programs(row) for row in read(login.app, EXPORTED_MAX, key=key)],
        context={
            "rows": found,
            "key": key,
            "following": found[-1].number if len(found) == ROWS else None,
            "is_first": before is None,
        },
    )


def _place(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidArgument("the address names no place in the log; start from its beginning")
    return int(text[:18])
