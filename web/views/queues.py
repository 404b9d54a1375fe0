"""Queues, of tasks and of items: what waits, how fast it ends, how old the oldest is; pause and resume."""

from __future__ import annotations

from ...client.cli.queues import failed, has_tasks
from ...common.contract.queues import QUEUES
from ...common.errors import InvalidArgument
from ..ends import for_programs, with_ends
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest
from .overview import snapshot_of


def queues(login: Login, asked: ViewRequest) -> ShownPage:
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
