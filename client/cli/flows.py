"""``tq flow ls | show | watch | graph | cancel | retry``: tasks that are one thing."""

from __future__ import annotations

from typing import Any, Final

import click

from ...common.domain.durations import span
from ...common.domain.flow import FlowState
from ...common.domain.ids import show_id
from ...common.domain.model import Role
from ...common.errors import InvalidArgument
from ...common.runtime.cleaning import clean_line
from ...common.runtime.terminal import console, say, write
from ..app import App
from ..flows.block import FLOWS
from ..flows.flow import Flow
from ..flows.progress import FlowProgress
from ..tasks.named import named
from .failing import INTERRUPTED
from .group import GuessingGroup
from .options import connected
from .output import ago, count, for_eyes, iso, print_json, print_table

COLUMNS: Final = ("flow", "name", "state", "#tasks", "#done", "#failed", "#running", "#age")
FORMATS: Final = ("tree", "dot", "svg")
LISTED: Final = 50
POLL_SECONDS: Final = 0.5
VERBS: Final = {
    FlowState.OPEN: "is open",
    FlowState.RUNNING: "runs",
    FlowState.SUCCEEDED: "has succeeded",
    FlowState.FAILED: "has failed",
    FlowState.CANCELLED: "was cancelled",
}


@click.group(cls=GuessingGroup, epilog="Example: tq flow ls")
def flow() -> None:
    """Look at flows, tasks that are one thing; cancel or retry one."""


@flow.command("ls", epilog="Example: tq flow ls")
@click.option(
    "-n", "limit", type=click.IntRange(1, 10_000), default=LISTED, metavar="N", help=f"How many.  [{LISTED}]"
)
@connected(Role.VIEWER)
def list_flows(app: App, as_json: bool, limit: int) -> None:
    """List flows, newest first."""
    rows: list[dict[str, Any]] = []
    behind: int | None = None
    while len(rows) < limit:
        # Short ids for eyes alone: a program keeps what it reads, and a short one may mean two later.
        answer = app.call(FLOWS, "list", behind, min(limit - len(rows), 500), for_eyes() and not as_json)
        rows += answer["rows"]
        behind = answer["behind"]
        if behind is None:
            break
    if as_json:
        print_json([for_programs(row) for row in rows])
        return
    print_table(
        COLUMNS,
        [_cells(row) for row in rows],
        empty="no flows; app.flow() opens one",
        spare=("#running", "#age"),
    )


@flow.command(epilog="Example: tq flow show 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
@click.argument("flow_id", metavar="ID")
@connected(Role.VIEWER)
def show(app: App, as_json: bool, flow_id: str) -> None:
    """Show a flow: how many of its tasks are in which state, and the first that failed."""
    found = app.get_flow(flow_id)
    shown = app.call(FLOWS, "show", found.flow_id)
    if as_json:
        print_json({**for_programs(shown), "tasks": found.handles.ids})
        return
    for title, text in _facts(shown):
        write(f"{title:<10} {text}\n")


@flow.command(epilog="Example: tq flow watch 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
@click.argument("flow_id", metavar="ID")
@connected(Role.VIEWER)
def watch(app: App, as_json: bool, flow_id: str) -> None:
    """Follow a flow until it has ended. Exit status: 0 if it succeeded, 1 if not."""
    found = app.get_flow(flow_id)
    try:
        _follow(found)
    except KeyboardInterrupt:
        say(
            f"tq: {found.id} goes on: `tq flow watch {found.id}` follows it again, `tq flow cancel {found.id}` ends it"
        )
        raise SystemExit(INTERRUPTED) from None
    shown = app.call(FLOWS, "show", found.flow_id)
    _print(shown, as_json)
    if shown["state"] != FlowState.SUCCEEDED:
        # As the exit status of `make` or `grep`: a script can go on by it.
        raise SystemExit(1)


@flow.command(epilog="Example: tq flow graph 019300a1-7c3e --format svg > nightly.svg")
@click.argument("flow_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(FORMATS), default="tree", help="[tree]")
@connected(Role.VIEWER)
def graph(app: App, as_json: bool, flow_id: str, form: str) -> None:
    """Draw a flow: its tasks by state, what needs what, how long they took, and the path that took longest.

    svg is a drawing for a browser, dot is for Graphviz. What is alike is drawn once, with its number of tasks.
    """
    # Drawing takes modules that no other command needs.
    from .graph.command import print_graph

    shown = print_graph(app, app.get_flow(flow_id), form, as_json=as_json)
    if as_json:
        print_json(shown)


@flow.command(epilog="Example: tq flow cancel 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b --reason 'wrong month'")
@click.argument("flow_id", metavar="ID")
@click.option("--reason", default="", metavar="TEXT", help="Shown as the reason.")
@connected(Role.CLIENT)
def cancel(app: App, as_json: bool, flow_id: str, reason: str) -> None:
    """Cancel all tasks of a flow that have not ended, those that run among them."""
    found = app.get_flow(flow_id)
    found.cancel(reason)
    _print(app.call(FLOWS, "show", found.flow_id), as_json)


@flow.command(epilog="Example: tq flow retry 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
@click.argument("flow_id", metavar="ID")
@click.option("--from", "task", metavar="TASK", help="From this task on: it, and what needs it.")
@connected(Role.CLIENT)
def retry(app: App, as_json: bool, flow_id: str, task: str | None) -> None:
    """Run the tasks of an ended flow again that did not succeed.

    With --from only that task and all that need it, one after the other, and what these need
    besides; the flow need not have ended then.
    """
    found = app.get_flow(flow_id)
    if task is None:
        found.retry()
    else:
        check_reached(retry_from(app, found, named(app.session, task).ids.first))
    _print(app.call(FLOWS, "show", found.flow_id), as_json)


def retry_from(app: App, found: Flow, task: bytes) -> int:
    """How many tasks run again. Raises InvalidArgument."""
    from ..flows.downstream import from_task
    from .bulk import TASKS
    from .graph.command import graph_rows

    runs = from_task(graph_rows(app, found), task)
    return len(app.call(TASKS, "retry", [run.to_wire() for run in runs])) if runs else 0


def check_reached(tasks: int) -> int:
    """Raises InvalidArgument when none runs again."""
    if not tasks:
        raise InvalidArgument(
            "none of the tasks from there on failed, died, was cancelled, expired or was lost, so none runs again"
        )
    return tasks


def flow_of(app: App, task: bytes) -> dict[str, Any] | None:
    """The id, name and state of the flow of a task; the id alone where this key does not see all of the flow."""
    id = app.call(FLOWS, "of_task", task)
    if id is None:
        return None
    try:
        shown = app.call(FLOWS, "show", id)
    # The key sees this task's queue, and not all queues of the flow.
    except InvalidArgument:
        return {"id": show_id(id), "name": None, "state": None}
    return {name: shown[name] for name in ("id", "name", "state")}


def flow_in_words(flow: dict[str, Any]) -> str:
    named = " ".join(filter(None, (clean_line(flow["name"] or ""), flow["id"])))
    return f"part of the flow {named}" + (f", which {VERBS[flow['state']]}" if flow["state"] else "")


def _follow(found: Flow) -> None:
    # A bar in a log is a thousand lines: there it only waits.
    if not for_eyes():
        found.wait()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        shown = bar.add_task("")
        while True:
            progress = found.progress
            bar.update(
                shown, description=_in_words(progress), completed=progress.done, total=progress.total or None
            )
            if FlowState(progress.state).has_ended or found.wait(POLL_SECONDS):
                return


def _in_words(progress: FlowProgress) -> str:
    failed = f", {count(progress.failed)} failed" if progress.failed else ""
    state = "" if progress.state == FlowState.RUNNING else f"{progress.state}, "
    return f"{state}{count(progress.running)} running{failed}"


def _print(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(for_programs(shown))
        return
    done = shown["succeeded"] + shown["failed"] + shown["cancelled"]
    state = "is being ended" if shown["is_ending"] and shown["finished"] is None else VERBS[shown["state"]]
    write(
        f"{shown['name'] or shown['id']} {state}: {count(done)} of {count(shown['total'])} tasks have ended\n"
    )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    done = row["succeeded"] + row["failed"] + row["cancelled"]
    numbers = (count(row[name]) if row[name] else "" for name in ("failed", "running"))
    return (
        row.get("short") or row["id"],
        row["name"],
        row["state"],
        count(row["total"]),
        count(done),
        *numbers,
        ago(row["created"]),
    )


def _facts(row: dict[str, Any]) -> list[tuple[str, str]]:
    progress = {name: row[name] for name in ("succeeded", "failed", "cancelled", "running") if row[name]}
    waiting = row["total"] - sum(progress.values())
    counts = [f"{count(number)} {name}" for name, number in progress.items()]
    if waiting:
        counts.append(f"{count(waiting)} wait")
    state = f"{row['state']}: {row['reason']}" if row["reason"] else row["state"]
    facts = [
        ("flow", row["id"]),
        ("name", row["name"]),
        ("state", state),
        ("tasks", f"{count(row['total'])}" + (f": {', '.join(counts)}" if counts else "")),
        (
            "on error",
            "its other tasks go on" if row["on_error"] == "collect" else "its other tasks are cancelled",
        ),
        ("run", str(row["run"])),
        ("opened", f"{ago(row['created'])} ago, by the key {row['key']}"),
    ]
    if row["finished"] is not None:
        facts.append(("took", span(row["finished"] - row["created"])))
    if row["first_failure"] is not None:
        facts.append(("failed", f"first {row['first_failure']}; tq show {row['first_failure']}"))
    return [(title, text) for title, text in facts if text]


def for_programs(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "created": iso(row["created"]), "finished": iso(row["finished"])}
