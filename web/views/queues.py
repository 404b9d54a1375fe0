"""Queues, of tasks and of items: what waits, how fast it ends, how old the oldest is; pause and resume."""

from __future__ import annotations

import shlex
from typing import Final

from ...client.cli.output import plain
from ...client.cli.peeking import in_words, peeked
from ...client.cli.queues import failed, has_tasks
from ...common.contract.queues import QUEUES
from ...common.errors import InvalidArgument
from ..ends import for_programs, with_ends
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest
from .overview import snapshot_of

LIVE_SECONDS: Final = 3.0  # the watcher does not see items


def queues(login: Login, asked: ViewRequest) -> ShownPage:
    name = asked.get("peek")
    return _peek(login, name) if name else _all(login)


def _peek(login: Login, name: str) -> ShownPage:
    """The first items of a queue of items."""
    found = peeked(login.app, name)
    snapshot = snapshot_of(login)
    row = next((row for row in snapshot["queues"] if row["name"] == name and row["item_queue"]), None)
    return ShownPage(
        title=f"Queue of items {name}",
        template="peek.html",
        command=shlex.join(["tq", "queues", "peek", name]),
        every=LIVE_SECONDS,
        rows=lambda: [{**one, "item": plain(one["item"])} for one in found],
        context={"row": row, "shown": [(one, in_words(one)) for one in found]},
    )


def _all(login: Login) -> ShownPage:
    snapshot = snapshot_of(login)
    rows = with_ends(login, snapshot)
    of_tasks = [row for row in rows if row["item_queue"] is None or has_tasks(row)]
    return ShownPage(
        title="Queues",
        template="queues.html",
        command="tq queues",
        rows=lambda: for_programs(rows),
        context={
            "now": snapshot["now"],
            "of_tasks": of_tasks,
            "of_items": [row for row in rows if row["item_queue"] is not None],
            "with_blocked": any(row["blocked"] for row in of_tasks),
            "with_most": any(row["maxsize"] for row in of_tasks),
            "with_end": any(row["empty_in"] for row in of_tasks),
            "failed_of": failed,
        },
    )


def pause(login: Login, asked: ViewRequest) -> Done:
    name = _name(asked)
    login.app.call(("get_task_queue", name), "pause", asked.get("reason"))
    row = next((row for row in login.app.call((QUEUES.name,), "list") if row["name"] == name), None)
    given = 0 if row is None else row["running"] + row["assigned"]
    goes_on = f"; {given:,} already with workers will still run" if given else ""
    return Done(note=f"{name} is paused{goes_on}")


def resume(login: Login, asked: ViewRequest) -> Done:
    name = _name(asked)
    login.app.call(("get_task_queue", name), "resume")
    return Done(note=f"{name} is resumed")


def _name(asked: ViewRequest) -> str:
    if not asked.get("queue"):
        raise InvalidArgument("which queue? The form names none")
    return asked.get("queue")
