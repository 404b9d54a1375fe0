"""``tq why``: one sentence on the state of a task and what would change it."""

from __future__ import annotations

from typing import Any, Final

import click

from ...common.domain.ids import show_id
from ...common.domain.model import Role, State
from ...common.runtime.terminal import write
from ..app import App
from ..tasks.explanation import explanation
from ..tasks.named import named
from .arrays import explain_array
from .options import connected
from .output import iso, print_json

TIMES: Final = ("since", "until", "earliest", "latest")


def reasons_for_programs(task: dict[str, Any]) -> dict[str, Any]:
    """What a master says of why a task waits, with its times as text. One of an earlier version says less."""
    found: dict[str, Any] = {name: task[name] for name in ("placing", "position", "eta") if name in task}
    if found.get("eta") is not None:
        found["eta"] = _timed(found["eta"])
    return {**found, "reasons": [_timed(one) for one in task.get("reasons", ())]}


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: iso(value) if name in TIMES else value for name, value in row.items()}


@click.command(epilog="Example: tq why 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
@click.argument("task_id", metavar="ID")
@connected(Role.VIEWER)
def why(app: App, as_json: bool, task_id: str) -> None:
    """Why a task waits, or how it ended, in one sentence, and what would change that.

    Of an array: what its last waiting task waits for.
    """
    meant = named(app.session, task_id)
    if meant.is_array:
        explain_array(app, meant, as_json=as_json)
        return
    task = app.call(("get_tasks",), "show", meant.ids.first)
    sentence = explanation(task)
    if as_json:
        shown = {"id": show_id(meant.ids.first), "state": State.from_number(task["state"]), "why": sentence}
        print_json({**shown, **reasons_for_programs(task)})
    else:
        write(sentence + "\n")
