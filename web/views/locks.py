"""Named locks, semaphores, events and barriers: who holds them; take one from a holder that is stuck."""

from __future__ import annotations

from typing import Final

from ...client.cli.locks import for_programs
from ...common.contract.locks import LOCKS
from ...common.errors import InvalidArgument
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest

LIVE_SECONDS: Final = 3.0  # the watcher does not see locks


def locks(login: Login, asked: ViewRequest) -> ShownPage:
    answer = login.app.call((LOCKS.name,), "list")
    return ShownPage(
        title="Locks",
        template="locks.html",
        command="tq locks",
        every=LIVE_SECONDS,
        rows=lambda: [for_programs(row) for row in answer["rows"]],
        context={"rows": answer["rows"], "left_out": answer["left_out"]},
    )


def take_away(login: Login, asked: ViewRequest) -> Done:
    name, token = asked.get("name"), asked.get("token")
    if not name or not (token.isascii() and token.isdigit()):
        raise InvalidArgument("which lock, of which holder? The form names none")
    login.app.call((LOCKS.name,), "take_away", name, int(token[:19]))
    return Done(note=f"{name} was taken from the holder with token {token}")
