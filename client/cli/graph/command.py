"""``tq flow graph``: asks the master for a flow's tasks and prints them in one of the formats."""

from __future__ import annotations

import time
from typing import Any, Final

from ....common.domain.durations import span
from ....common.errors import InvalidArgument
from ....common.runtime.terminal import console, write
from ...app import App
from ...flows.block import FLOWS
from ...flows.flow import Flow
from ...flows.graph import FlowGraph, graph_of
from ..output import STATE_STYLES, count, for_eyes
from .dot import dot
from .labels import title
from .svg import svg
from .tree import CRITICAL, TreeLine, tree

ROWS_MAX: Final = 50_000  # of the master: tasks that were submitted one by one
PATH_SHOWN: Final = 8  # nodes of the critical path that are named


def print_graph(app: App, flow: Flow, form: str, *, as_json: bool) -> Any:
    """What is to be printed as JSON, if that is asked for."""
    shown = app.call(FLOWS, "show", flow.flow_id)
    graph, now = graph_of(graph_rows(app, flow)), time.time()
    if as_json:
        return for_programs(graph, now)
    heading, path = _heading(shown), critical_path(graph, now)
    if form == "dot":
        write(dot(graph, heading, now))
    elif form == "svg":
        write(svg(graph, heading, path, now))
    elif for_eyes():
        _print_tree(heading, tree(graph, now), path)
    else:
        write("\n".join([heading, *map(str, tree(graph, now)), *filter(None, [path])]) + "\n")
    return None


def graph_rows(app: App, flow: Flow) -> list[Any]:
    """What the master knows of the tasks of a flow. Raises InvalidArgument when they are too many for a drawing."""
    rows: list[Any] = []
    place: int | None = 0
    while place is not None:
        answer = app.call(FLOWS, "graph", flow.flow_id, place)
        rows += answer["rows"]
        place = answer["place"]
        if len(rows) > ROWS_MAX:
            raise InvalidArgument(
                f"more than {ROWS_MAX:,} tasks of the flow were submitted one by one, too many for a drawing; `tq ls --where "
                f"flow={flow.id}` lists them, and a map of many is one row"
            )
    return rows


def _heading(shown: dict[str, Any]) -> str:
    done = shown["succeeded"] + shown["failed"] + shown["cancelled"]
    named = " ".join(filter(None, (shown["name"], shown["id"])))
    return f"{named}  {shown['state']}: {count(done)} of {count(shown['total'])} tasks have ended"


def critical_path(graph: FlowGraph, now: float) -> str:
    """In one line; empty when nothing has started."""
    seconds = graph.seconds(now)
    if seconds is None:
        return ""
    names = [title(graph.nodes[place]) for place in graph.critical]
    if len(names) > PATH_SHOWN:
        names = [*names[: PATH_SHOWN // 2], f"{len(names) - PATH_SHOWN:,} others", *names[-PATH_SHOWN // 2 :]]
    return f"{CRITICAL}critical path, {span(seconds)}: {' → '.join(names)}"


def _print_tree(heading: str, lines: list[TreeLine], path: str) -> None:
    from rich.text import Text

    screen = console()
    screen.print(Text(heading, style="bold"), soft_wrap=True)
    for line in lines:
        style = "" if line.state is None else STATE_STYLES.get(str(line.state), "dim")
        parts = [
            Text(line.lead, style="dim"),
            Text(line.title, style=style),
            Text("  " + line.states, style=style),
        ]
        screen.print(Text.assemble(*parts, Text("  " + line.rest, style="dim")), soft_wrap=True)
    if path:
        screen.print(Text(path), soft_wrap=True)


def for_programs(graph: FlowGraph, now: float) -> dict[str, Any]:
    return {
        "nodes": [
            {
                "id": node.id,
                "tasks": node.tasks,
                "name": node.name,
                "queue": node.queue,
                "states": {str(state): tasks for state, tasks in node.states.items()},
                "seconds": node.seconds(now),
                "needs": [graph.nodes[one].id for one in needed],
            }
            for node, needed in zip(graph.nodes, graph.edges, strict=True)
        ],
        "critical": [graph.nodes[place].id for place in graph.critical],
        "seconds": graph.seconds(now),
    }
