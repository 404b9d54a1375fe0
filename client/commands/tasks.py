"""``tq ls``, ``tq show``, ``tq cancel``, ``tq retry``"""

from __future__ import annotations

import re
import sys
import time
from typing import Any

import click

from ...common.codec import decode, decode_call
from ...common.errors import DecodeError, InvalidArgument
from ...common.failure import Failure
from ...common.ids import parse_id, show_id
from ...common.model import Outcome, Role, State
from ..app import App
from . import failing
from .options import connected
from .output import ago, iso, plain, print_json, print_table, span, task_row

UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
TEXT_CHARS_MAX = 2_000  # of an argument list or a result shown to a person


@click.command(epilog="Example: tq ls --state failed --since 2h")
@click.option(
    "--state", "states", multiple=True, metavar="STATE", help="ready, running, failed, …; repeatable."
)
@click.option("--queue", metavar="NAME", help="Only of this queue.")
@click.option("--name", metavar="MODULE:FUNCTION", help="Only of this callable.")
@click.option("--since", metavar="AGE", help="Submitted in the last 30s, 10min, 2h, 7d.")
@click.option("--limit", default=30, show_default=True, metavar="N", help="At most so many.")
@connected(Role.VIEWER)
def ls(
    app: App,
    as_json: bool,
    states: tuple[str, ...],
    queue: str | None,
    name: str | None,
    since: str | None,
    limit: int,
) -> None:
    """List tasks, newest first."""
    wanted: dict[str, Any] = {"states": [int(State.parse(word)) for word in states]}
    if queue is not None:
        wanted["queue"] = queue
    if name is not None:
        wanted["name"] = name
    if since is not None:
        wanted["since"] = time.time() - _age(since)
    tasks = app.call(("get_tasks",), "list", wanted, limit)
    if as_json:
        print_json([task_row(task) for task in tasks])
        return
    rows = [
        (
            show_id(task["id"]),
            State(task["state"]),
            task["name"],
            task["queue"],
            task["attempt"],
            ago(task["created"]),
        )
        for task in tasks
    ]
    print_table(("id", "state", "task", "queue", "#tries", "#age"), rows, empty="no such tasks")


@click.command(epilog="Example: tq show 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
@click.argument("task_id", metavar="ID")
@connected(Role.VIEWER)
def show(app: App, as_json: bool, task_id: str) -> None:
    """Everything about one task: arguments, attempts, result, and why it waits."""
    task = app.call(("get_tasks",), "show", parse_id(task_id))
    if as_json:
        print_json(_shown(task))
        return
    write = sys.stdout.write
    write(f"{show_id(task['id'])}  {State(task['state'])}\n")
    write(f"  {task['name']}{_arguments(task['payload'])}\n")
    write(f"  queue {task['queue']}, priority {task['priority']}, submitted {ago(task['created'])} ago\n")
    if task["why"]:
        write(f"  {task['why']}\n")
    if task["state"] == State.SUCCEEDED:
        write(f"  result: {_value(task['result'])}\n")
    rows = [
        (
            attempt["attempt"],
            "running" if attempt["outcome"] is None else Outcome(attempt["outcome"]),
            attempt["worker"],
            _took(attempt),
            _first_line(attempt["body"]),
        )
        for attempt in task["attempts"]
    ]
    if rows:
        write("\n")
        print_table(("#try", "outcome", "worker", "#took", "what"), rows, empty="")
    failure = Failure.decode(task["result"]) if State(task["state"]).is_terminal and task["result"] else None
    if task["state"] != State.SUCCEEDED and failure is not None and failure.traceback:
        write(f"\n{failure.traceback.rstrip()}\n")


@click.command(epilog="Example: tq cancel $(tq ls --state ready --json | jq -r '.[].id')")
@click.argument("task_ids", nargs=-1, required=True, metavar="ID...")
@connected(Role.CLIENT)
def cancel(app: App, as_json: bool, task_ids: tuple[str, ...]) -> None:
    """Cancel tasks. One that runs is asked to stop, then made to."""
    _each(app, as_json, task_ids, "cancel", {State.RUNNING: "running; its worker has been told to end it"})


@click.command(epilog="Example: tq retry 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
@click.argument("task_ids", nargs=-1, required=True, metavar="ID...")
@connected(Role.CLIENT)
def retry(app: App, as_json: bool, task_ids: tuple[str, ...]) -> None:
    """Make failed, dead, cancelled, expired or lost tasks ready again."""
    _each(app, as_json, task_ids, "retry", {})


def _each(app: App, as_json: bool, task_ids: tuple[str, ...], method: str, words: dict[State, str]) -> None:
    ids = [parse_id(text) for text in task_ids]
    reached = dict(app.call(("get_tasks",), method, ids))
    states = {show_id(id): str(State(reached[id])) if id in reached else "unknown" for id in ids}
    if as_json:
        print_json(states)
    else:
        for id in ids:
            state = State(reached[id]) if id in reached else None
            word = "no such task" if state is None else words.get(state, str(state))
            sys.stdout.write(f"{show_id(id)}  {word}\n")
    if len(reached) < len(set(ids)):
        raise SystemExit(failing.UNKNOWN)


def _shown(task: dict[str, Any]) -> dict[str, Any]:
    row = task_row(task)
    succeeded = task["state"] == State.SUCCEEDED
    row["arguments"] = _decoded(task["payload"])
    del row["payload"]
    row["result"] = _decoded(task["result"]) if succeeded else None
    row["failure"] = None if succeeded or not task["result"] else _failure(task["result"])
    row["attempts"] = [
        {
            **attempt,
            "outcome": None if attempt["outcome"] is None else str(Outcome(attempt["outcome"])),
            "started": iso(attempt["started"]),
            "ended": iso(attempt["ended"]),
            "body": None if not attempt["body"] else _failure(attempt["body"]),
        }
        for attempt in task["attempts"]
    ]
    return row


def _failure(body: bytes) -> dict[str, Any]:
    failure = Failure.decode(body)
    return {
        "type": failure.type,
        "message": failure.message,
        "traceback": failure.traceback,
        "detail": failure.detail,
    }


def _decoded(body: bytes | None) -> Any:
    """A value for a program; what this side cannot read is said, not hidden."""
    try:
        return None if body is None else plain(decode(body))
    except DecodeError as error:
        return f"<{error}>"


def _value(body: bytes | None) -> str:
    try:
        text = "None" if body is None else repr(decode(body))
    except DecodeError as error:
        text = f"<{error}>"
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[:TEXT_CHARS_MAX]}… ({len(text):,} characters)"


def _arguments(payload: bytes) -> str:
    try:
        args, kwargs = decode_call(payload)
    except DecodeError as error:
        return f"(<{error}>)"
    text = ", ".join([*(repr(arg) for arg in args), *(f"{name}={value!r}" for name, value in kwargs.items())])
    return f"({text})" if len(text) <= TEXT_CHARS_MAX else f"({text[:TEXT_CHARS_MAX]}…)"


def _first_line(body: bytes | None) -> str:
    failure = Failure.decode(body)
    return f"{failure.type}: {failure.message}".splitlines()[0] if failure.type else ""


def _took(attempt: dict[str, Any]) -> str:
    if attempt["started"] is None:
        return ""
    return span((attempt["ended"] or time.time()) - attempt["started"])


def _age(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)", text)
    if match is None:
        raise InvalidArgument(f"--since {text!r}: write 30s, 10min, 2h or 7d")
    return float(match[1]) * UNITS[match[2]]
