"""``tq why``: one sentence on the state of a task and what would change it."""

from __future__ import annotations

from typing import Any, Final

import click

from ...common.domain.ids import parse_id
from ...common.domain.model import Role, State
from ...common.runtime.terminal import write
from ...common.values.failure import Failure
from ..app import App
from .options import connected
from .output import ago, print_json

AGAIN: Final = "`tq retry {id}` makes it ready again"
ENDS: Final = {
    State.FAILED: "it failed {when} ago, at attempt {attempt}{what}; `tq show {id}` has the traceback, "
    + AGAIN,
    State.DEAD: "it is quarantined since {when} ago, after {deaths}{what}; find out what kills its process "
    "(`tq show {id}`), then " + AGAIN,
    State.CANCELLED: "it was cancelled {when} ago; " + AGAIN,
    State.EXPIRED: "it expired {when} ago: it was not started in time; add workers, and " + AGAIN,
    State.LOST: "its worker vanished {when} ago and at_most_once forbids a second start; look whether it was done, then "
    + AGAIN,
}


@click.command(epilog="Example: tq why 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
@click.argument("task_id", metavar="ID")
@connected(Role.VIEWER)
def why(app: App, as_json: bool, task_id: str) -> None:
    """Why a task waits, or how it ended, in one sentence, and what would change that."""
    task = app.call(("get_tasks",), "show", parse_id(task_id))
    sentence = task["why"] or _how_it_ended(task, task_id)
    if as_json:
        print_json({"id": task_id, "state": State.from_number(task["state"]), "why": sentence})
    else:
        write(sentence + "\n")


def _how_it_ended(task: dict[str, Any], task_id: str) -> str:
    state = State.from_number(task["state"])
    when = ago(task["finished"])
    if state == State.SUCCEEDED:
        worker = task["attempts"][-1]["worker"] or "a worker that is no longer listed"
        return f"it succeeded {when} ago on {worker}, at attempt {task['attempt']}"
    failure = Failure.decode(task["result"])
    what = f": {failure.type}: {failure.message}".splitlines()[0] if failure.type else ""
    return ENDS[state].format(
        when=when,
        attempt=task["attempt"],
        deaths="1 death" if task["crashes"] == 1 else f"{task['crashes']} deaths",
        what=what,
        id=task_id,
    )
