"""Flows, tasks that are one thing: how far each is, its graph, cancel and retry."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from markupsafe import Markup

from ...client.app import App
from ...client.cli.flows import for_programs as row_for_programs
from ...client.cli.graph.command import critical_path, for_programs, graph_rows
from ...client.cli.graph.svg import drawing
from ...client.flows.block import FLOWS
from ...client.flows.graph import OUTSIDE, GraphNode, graph_of
from ...common.domain.flow import FlowState
from ...common.domain.model import Role
from ...common.errors import InvalidArgument
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest
from ..places import place_of, text_of
from ..rendering import link
from ..signals import AwaitedSignal, awaited, send

ROWS: Final = 50
LIVE_SECONDS: Final = 2.0  # of a flow that has not ended
PATHS_SHOWN: Final = 10
PATH_TASKS_MAX: Final = 500
PATH_SECONDS: Final = 10.0  # they are looked for so often, however many tabs are open


def flows(login: Login, asked: ViewRequest) -> ShownPage:
    place = asked.get("behind")
    answer = login.app.call(FLOWS, "list", place_of(place) if place else None, ROWS, True)
    paths = login.recent(f"paths {place}", PATH_SECONDS, lambda: _paths(login.app, answer["rows"]))
    return ShownPage(
        title="Flows",
        template="flows.html",
        command="tq flow ls",
        rows=lambda: [_row_for_file(row) for row in answer["rows"]],
        every=LIVE_SECONDS if any(row["finished"] is None for row in answer["rows"]) else None,
        context={
            "rows": [{**_shown(row), "path": paths.get(row["id"], "")} for row in answer["rows"]],
            "following": None if answer["behind"] is None else text_of(answer["behind"]),
            "is_first": not place,
        },
    )


def _paths(app: App, rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The critical paths of the flows at the top, as far as they are small: each is drawn for it."""
    small = [row for row in rows if 1 < row["total"] <= PATH_TASKS_MAX]
    now = time.time()
    return {
        row["id"]: critical_path(graph_of(graph_rows(app, app.get_flow(row["id"]))), now)
        for row in small[:PATHS_SHOWN]
    }


def flow(login: Login, asked: ViewRequest) -> ShownPage:
    found = login.app.get_flow(asked.path["id"])
    row = login.app.call(FLOWS, "show", found.flow_id)
    now = time.time()
    graph, drawn, path, error = None, None, "", ""
    waits: list[AwaitedSignal] = []
    try:
        graph = graph_of(graph_rows(login.app, found))
        path = critical_path(graph, now)
        drawn = drawing(graph, now, _address)
        if row["finished"] is None:
            waits = login.recent(f"signals {found.id}", LIVE_SECONDS, partial(awaited, login.app, graph))
    except InvalidArgument as problem:  # too large for a drawing, which its counts are not
        error = str(problem)
    has_ended = FlowState(row["state"]).has_ended
    return ShownPage(
        title=f"Flow {row['name'] or found.id}",
        template="flow.html",
        command=f"tq flow graph {found.id}",
        every=None if has_ended else LIVE_SECONDS,
        rows=lambda: [] if graph is None else for_programs(graph, now)["nodes"],
        context={
            "row": _shown(row),
            "drawn": drawn,
            "picture": None if drawn is None else Markup(drawn.text),  # noqa: S704 - its texts are cleaned and escaped there
            "path_words": path,
            "error": error,
            "waits": waits,
            "can_cancel": not has_ended and login.may(Role.CLIENT),
            "can_retry": has_ended and row["state"] != FlowState.SUCCEEDED and login.may(Role.CLIENT),
        },
    )


def cancel(login: Login, asked: ViewRequest) -> Done:
    found = login.app.get_flow(asked.path["id"])
    found.cancel(asked.get("reason"))
    return Done(note=f"the tasks of {found.name or found.id} that have not ended are being cancelled")


def retry(login: Login, asked: ViewRequest) -> Done:
    found = login.app.get_flow(asked.path["id"])
    found.retry()
    return Done(note=f"the tasks of {found.name or found.id} that did not succeed are ready again")


def signal(login: Login, asked: ViewRequest) -> Done:
    login.answers.pop(
        f"signals {login.app.get_flow(asked.path['id']).id}", None
    )  # it is no longer waited for
    return Done(note=send(login.app, asked.get("task"), asked.get("name"), asked.get("value")))


def _address(node: GraphNode) -> str | None:
    """Where a box leads: a task to its view, several to the list of them."""
    if node.rank == OUTSIDE:
        return None
    if node.tasks == 1:
        return f"/tasks/{node.id}"
    return link("/tasks", array=f"{node.id}+0..{node.tasks - 1}")


def _row_for_file(row: dict[str, Any]) -> dict[str, Any]:
    return row_for_programs({name: value for name, value in row.items() if name != "short"})


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    ended = row["succeeded"] + row["failed"] + row["cancelled"]
    return {**row, "done": ended, "waiting": max(0, row["total"] - ended - row["running"])}
