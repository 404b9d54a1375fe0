"""``tq show``: everything about one task; with ``--logs`` or ``--follow`` its output."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from ...common.contract.dependencies import DEPENDENCIES
from ...common.contract.rows import all_from_wire, from_wire
from ...common.contract.steps import ShownSignal, ShownStep
from ...common.contract.tasks import TaskProgress
from ...common.domain.durations import span
from ...common.domain.ids import show_id
from ...common.domain.model import Outcome, Role, State, StateNumber
from ...common.domain.steps import StepKind
from ...common.domain.tags import tags_in_words
from ...common.errors import DecodeError
from ...common.runtime.cleaning import clean_line
from ...common.runtime.terminal import write
from ...common.values.codec import decode, decode_work
from ...common.values.failure import Failure, show_bytes
from ..app import App
from ..tasks.named import named, task_named
from ..tasks.place import estimate_from, eta_of
from .arrays import show_array
from .flows import flow_in_words, flow_of
from .following import follow, print_log
from .needs import needs_for_programs, print_needs
from .options import connected
from .output import ago, iso, plain, print_json, print_table, shown, task_row
from .redact import redacted
from .why import reasons_for_programs

TEXT_CHARS_MAX = 2_000  # of an argument list or a result shown to a person
BAR_CHARS = 30
KEY_CHARS = 40


@click.command(epilog="Example: tq show 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b --follow")
@click.argument("task_id", metavar="ID")
@click.option("--logs", is_flag=True, help="Print only the output of its last attempt.")
@click.option("--follow", "is_followed", is_flag=True, help="Print its output until the task ends.")
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="With --logs: of this attempt.")
@connected(Role.VIEWER)
def show(app: App, as_json: bool, task_id: str, logs: bool, is_followed: bool, attempt: int | None) -> None:
    """Everything about one task: arguments, attempts, progress, result, and why it waits.

    Of an array: its tasks by state, and the last that failed. Values whose names look like a secret's (password, token, key, …) are hidden.
    """
    meant = named(app.session, task_id)
    if meant.is_array and not (logs or is_followed or attempt is not None):
        show_array(app, meant, as_json=as_json)
        return
    # Refuses an array, which has no output of its own.
    id = task_named(app.session, task_id)
    if is_followed:
        if as_json or attempt is not None:
            raise click.UsageError(
                "--follow prints text as it arrives; it cannot be combined with --json or --attempt"
            )
        follow(app, id)
    elif logs or attempt is not None:
        print_log(app, id, attempt, as_json=as_json)
    else:
        task = app.call(("get_tasks",), "show", id)
        needs, flow = app.call((DEPENDENCIES.name,), "of", id), flow_of(app, id)
        if as_json:
            print_json({**for_programs(task), **needs_for_programs(needs), "flow": flow})
        else:
            _print(task, needs, flow)


def _print(task: dict[str, Any], needs: dict[str, Any], flow: dict[str, Any] | None) -> None:
    write(f"{show_id(task['id'])}  {State.from_number(task['state'])}\n")
    write(f"  {task['name']}{_arguments(task['payload'])}\n")
    write(f"  queue {task['queue']}, priority {task['priority']}, submitted {ago(task['created'])} ago\n")
    if task.get("tags"):
        write(f"  tags {tags_in_words(task['tags'])}\n")
    if terms := terms_in_words(task.get("terms", {})):
        write("".join(f"  {name} {clean_line(text)}\n" for name, text in terms))
    if task["why"]:
        write(f"  {task['why']}\n")
    if (estimate := estimate_from(task)) is not None:
        write(f"  it starts {eta_of(estimate, '')}\n")
    if task.get("parent"):
        write(f"  submitted by the task {show_id(task['parent'])}\n")
    if flow is not None:
        write(f"  {flow_in_words(flow)}\n")
    print_needs(needs)
    if task.get("unique") and task["unique"]["meets"]:
        write(f"  {_unique(task)}\n")
    if task.get("on_failure"):
        write(f"  {_handler(task)}\n")
    if task["returned"]:
        times = "once" if task["returned"] == 1 else f"{task['returned']:,} times"
        write(f"  {times} a worker returned it before it started\n")
    if task["progress"] is not None:
        write(f"  {_progress(task['progress'])}\n")
    if task["state"] == StateNumber.SUCCEEDED:
        write(f"  result: {value_in_words(task['result'])}\n")
    if task["attempts"]:
        write("\n")
        _print_attempts(task["attempts"])
    if task["steps"]:
        write("\n")
        _print_steps(task["steps"])
    if task["signals"]:
        write("\n")
        _print_signals(task["signals"])
    if task["attempts_left_out"]:
        write(f"  {task['attempts_left_out']:,} earlier attempts are not shown\n")
    failure = last_failure(task)
    if failure is not None:
        # Otherwise the table above has it already.
        if not task["attempts"]:
            write(f"\n  {clean_line(failure.type)}: {clean_line(failure.message)}\n")
        _print_post_mortem(failure)
        if failure.traceback:
            write(f"\n{failure.traceback.rstrip()}\n")
    if any(attempt["log"] for attempt in task["attempts"]):
        write(f"\n  what it printed: tq show {show_id(task['id'])} --logs\n")


def terms_in_words(terms: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a master says of the terms of a task, as names and texts."""
    words = {name: str(value) for name, value in terms.items()}
    for name in ("deadline", "expires"):
        if name in terms:
            words[name] = ago(terms[name]) if terms[name] > time.time() else f"{ago(terms[name])} ago"
    if "limits" in terms:
        words["limits"] = ", ".join(
            one["name"]
            + (f" of {one['key']}" if one["key"] else "")
            + (f" ×{one['units']}" if one["units"] > 1 else "")
            for one in terms["limits"]
        )
    if "needs" in terms:
        words["needs"] = " ".join(f"{name}={amount:g}" for name, amount in terms["needs"].items())
    if "result_ttl" in terms:
        words["result_ttl"] = span(terms["result_ttl"])
    return [(name.replace("_", " "), text) for name, text in words.items()]


def _unique(task: dict[str, Any]) -> str:
    """Which submits meet it."""
    unique = task["unique"]
    key = clean_line(unique["key"])
    shown = f"{key[:KEY_CHARS]}…" if len(key) > KEY_CHARS else key
    ended = State.from_number(task["state"]).is_terminal
    how_long = "as long as it is kept" if ended else "while it waits or runs"
    if unique["until"] is not None:
        how_long = f"for {span(max(0.0, unique['until'] - time.time()))} more"
    return f"submits with the key {shown} meet this task, {how_long}"


def _handler(task: dict[str, Any]) -> str:
    """What is made of it, or was."""
    handler = task["on_failure"]
    name = clean_line(handler["task"])
    if handler["id"] is not None:
        return f"{name} handles its failure: {handler['id']}"
    return f"if it fails, {name} handles it, in the queue {clean_line(handler['queue'])}"


def _print_attempts(attempts: list[dict[str, Any]]) -> None:
    rows = [
        (
            attempt["attempt"],
            "running" if attempt["outcome"] is None else Outcome.from_number(attempt["outcome"]),
            attempt["worker"],
            attempt.get("version"),  # a master of an earlier version does not say
            time.strftime("%H:%M:%S", time.localtime(attempt["started"])) if attempt["started"] else "",
            _took(attempt),
            _first_line(attempt["body"]),
        )
        for attempt in attempts
    ]
    columns = ("#attempt", "outcome", "worker", "version", "started", "#took", "what")
    print_table(columns, rows, empty="", spare=("version",))


def _print_steps(steps: list[Any]) -> None:
    shown_steps = all_from_wire(ShownStep, steps)
    rows = [
        (
            step.number,
            clean_line(step.name),
            str(StepKind(step.kind)),
            step.attempt,
            time.strftime("%H:%M:%S", time.localtime(step.recorded)),
            "" if step.seconds is None else span(step.seconds),
            show_bytes(step.size) if step.size else "",
        )
        for step in shown_steps
    ]
    print_table(("#step", "name", "kind", "#attempt", "recorded", "#took", "#result"), rows, empty="")


def _print_signals(signals: list[Any]) -> None:
    rows = [
        (
            clean_line(one.name),
            clean_line(one.key),
            one.role,
            time.strftime("%H:%M:%S", time.localtime(one.at)),
            show_bytes(one.size),
            "waits to be taken" if one.step is None else f"step {one.step}",
        )
        for one in all_from_wire(ShownSignal, signals)
    ]
    print_table(("signal", "key", "role", "sent", "#size", "taken by"), rows, empty="")


def _step_row(step: ShownStep) -> dict[str, Any]:
    return {
        **step._asdict(),
        "kind": str(StepKind(step.kind)),
        "recorded": iso(step.recorded),
        "until": iso(step.until),
    }


def last_failure(task: dict[str, Any]) -> Failure | None:
    """The error of a task, or of its last attempt while it has not ended."""
    if task["state"] == StateNumber.SUCCEEDED:
        return None
    bodies = [attempt["body"] for attempt in task["attempts"] if attempt["body"]]
    # What the task ended with; until then what its last attempt said.
    body = (
        task["result"]
        if StateNumber(task["state"]).is_terminal and task["result"]
        else (bodies or [None])[-1]
    )
    return Failure.decode(body) if body else None


def post_mortem_in_words(failure: Failure) -> str:
    """Facts of a process that died; empty for an ordinary error."""
    detail = failure.detail
    peak, limit = detail.get("peak_memory_bytes"), detail.get("memory_limit_bytes")
    facts = []
    if code := detail.get("code"):
        facts.append(f"signal {detail['signal']}" if "signal" in detail else f"exit status {code}")
    if isinstance(peak, int):
        allowed = f", the limit {show_bytes(limit)}" if isinstance(limit, int) else ""
        facts.append(f"its process had up to {show_bytes(peak)} of memory{allowed}")
    if verdict := detail.get("out_of_memory"):
        facts.append(str(verdict).partition(";")[0])
    return "; ".join(facts)


def _print_post_mortem(failure: Failure) -> None:
    if facts := post_mortem_in_words(failure):
        write(f"\n  {facts}\n")
    if lines := failure.detail.get("last_lines"):
        write("  it printed last:\n")
        for line in str(lines).splitlines():
            write(f"    {clean_line(line)}\n")


def for_programs(task: dict[str, Any]) -> dict[str, Any]:
    row = task_row(task)
    succeeded = task["state"] == StateNumber.SUCCEEDED
    row.update(reasons_for_programs(task))
    terms = task.get("terms", {})
    row["terms"] = {**terms, **{name: iso(terms[name]) for name in ("deadline", "expires") if name in terms}}
    row["arguments"] = _call(task["payload"])
    del row["payload"]
    row["result"] = _decoded(task["result"]) if succeeded else None
    row["failure"] = None if succeeded or not task["result"] else _failure(task["result"])
    row["progress"] = _progress_row(task["progress"])
    row["steps"] = [_step_row(step) for step in all_from_wire(ShownStep, task["steps"])]
    row["signals"] = [
        {**one._asdict(), "at": iso(one.at)} for one in all_from_wire(ShownSignal, task["signals"])
    ]
    row["attempts"] = [
        {
            **attempt,
            "outcome": None if attempt["outcome"] is None else Outcome.from_number(attempt["outcome"]),
            "started": iso(attempt["started"]),
            "ended": iso(attempt["ended"]),
            "seconds": _seconds(attempt),
            "body": None if not attempt["body"] else _failure(attempt["body"]),
        }
        for attempt in task["attempts"]
    ]
    return row


def _failure(body: bytes) -> dict[str, Any]:
    failure = Failure.decode(body)
    # Those are for Python programs, which raise the error again: no one reads them here.
    readable = {name: value for name, value in failure.detail.items() if name != "packed_args"}
    return {
        "type": failure.type,
        "message": failure.message,
        "traceback": failure.traceback,
        "detail": plain(redacted(readable)),
    }


def _progress_row(progress: list[Any] | None) -> dict[str, Any] | None:
    if progress is None:
        return None
    reported = from_wire(TaskProgress, progress)
    return {**reported._asdict(), "at": iso(reported.at)}


def _progress(progress: list[Any]) -> str:
    """A bar, if it is known how much there is."""
    done, total, note, at = from_wire(TaskProgress, progress)
    words = f"{clean_line(note)}, {ago(at)} ago" if note else f"{ago(at)} ago"
    if not total:
        return f"{done:,} done, {words}"
    # A task may report more than its total, or below zero.
    share = min(1.0, max(0.0, done / total))
    full = round(share * BAR_CHARS)
    return f"[{'#' * full}{'.' * (BAR_CHARS - full)}] {share:.0%}, {done:,} of {total:,}, {words}"


def _call(payload: bytes) -> Any:
    """The arguments for a program."""
    try:
        # ``as_is``: classes of the program are not imported here, where they may not exist.
        args, kwargs, _ = decode_work(payload, as_is=True)
    except DecodeError as error:
        return f"<{error}>"
    return plain([redacted(args), redacted(kwargs)])


def _decoded(body: bytes | None) -> Any:
    """A value for a program; if it cannot be decoded here, the reason instead."""
    try:
        return None if body is None else plain(redacted(decode(body, as_is=True)))
    except DecodeError as error:
        return f"<{error}>"


def value_in_words(body: bytes | None) -> str:
    try:
        text = "None" if body is None else shown(redacted(decode(body, as_is=True)))
    except DecodeError as error:
        text = f"<{error}>"
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[:TEXT_CHARS_MAX]}… ({len(text):,} characters)"


def _arguments(payload: bytes) -> str:
    try:
        args, kwargs, _ = decode_work(payload, as_is=True)
    except DecodeError as error:
        return f"(<{error}>)"
    args, kwargs = redacted(list(args)), redacted(kwargs)
    text = ", ".join([*map(shown, args), *(f"{name}={shown(value)}" for name, value in kwargs.items())])
    return f"({text})" if len(text) <= TEXT_CHARS_MAX else f"({text[:TEXT_CHARS_MAX]}…)"


def _first_line(body: bytes | None) -> str:
    failure = Failure.decode(body)
    return f"{failure.type}: {failure.message}".splitlines()[0] if failure.type else ""


def _seconds(attempt: dict[str, Any]) -> float | None:
    if attempt["started"] is None:
        return None
    return float((attempt["ended"] or time.time()) - attempt["started"])


def _took(attempt: dict[str, Any]) -> str:
    seconds = _seconds(attempt)
    return "" if seconds is None else span(seconds)
