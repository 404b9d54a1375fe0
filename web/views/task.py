"""One task: why it waits or how it ended, what it was given and has returned, its attempts, its output, what it needs."""

from __future__ import annotations

import time
from typing import Any

from ...client.cli.bulk import TASKS
from ...client.cli.flows import check_reached, flow_of, retry_from
from ...client.cli.needs import needs_for_programs
from ...client.cli.output import shown
from ...client.cli.redact import redacted
from ...client.cli.show import (
    for_programs,
    last_failure,
    post_mortem_in_words,
    terms_in_words,
    value_in_words,
)
from ...client.tasks.explanation import explanation
from ...client.tasks.named import named
from ...common.contract.dependencies import DEPENDENCIES
from ...common.contract.flows import FLOWS
from ...common.contract.rows import all_from_wire, from_wire
from ...common.contract.steps import ShownSignal, ShownStep
from ...common.contract.tasks import TaskProgress
from ...common.domain.ids import show_id
from ...common.domain.model import Outcome, Role, State
from ...common.domain.steps import StepKind
from ...common.errors import DecodeError, InvalidArgument
from ...common.values.codec import decode_work
from ...common.values.failure import Failure
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest
from .submit import code_of

LIVE_SECONDS = 2.0  # of a task that has not ended: its output is not what the watcher sees
STACKS = ("Fatal Python error", "Thread 0x", "Current thread", "Timeout (")  # as faulthandler begins
RETRIED = (State.FAILED, State.DEAD, State.CANCELLED, State.EXPIRED, State.LOST)


def task(login: Login, asked: ViewRequest) -> ShownPage:
    text = asked.path["id"]
    meant = named(login.app.session, text)
    if meant.is_array:
        raise InvalidArgument(f"{text} is an array of {meant.ids.tasks:,} tasks: look it up under Tasks")
    id = meant.ids.first
    row = login.app.call(TASKS, "show", id)
    needs = needs_for_programs(login.app.call((DEPENDENCIES.name,), "of", id))
    state = State.from_number(row["state"])
    failure = last_failure(row)
    flow = flow_of(login.app, id)
    attempts = [_attempt(one) for one in row["attempts"]]
    return ShownPage(
        title=f"{row['name']} {show_id(id)}",
        template="task.html",
        head="task.head.html",
        command=f"tq show {show_id(id)}",
        every=None if state.is_terminal else LIVE_SECONDS,
        rows=lambda: [for_programs(row)],
        context={
            "task": row,
            "task_id": show_id(id),
            "word": str(state),
            "why": explanation(row),
            "terms": terms_in_words(row.get("terms", {})),
            "position": row.get("position"),
            "eta": row.get("eta"),
            "has_stacks": failure is not None and failure.traceback.lstrip().startswith(STACKS),
            "with_memory": any(one["memory"] for one in attempts),
            "with_version": any(one.get("version") for one in attempts),
            "died": "" if failure is None else post_mortem_in_words(failure),
            "arguments": arguments_of(row["payload"]),
            "result": value_in_words(row["result"]) if state == State.SUCCEEDED else None,
            "failure": failure if failure is not None and failure.type else None,
            "attempts": attempts,
            "span_of": _span(attempts),
            "output": attempts[-1]["log"] if attempts and attempts[-1]["log"] else "",
            "progress": None if row["progress"] is None else from_wire(TaskProgress, row["progress"]),
            "steps": [(one, str(StepKind(one.kind))) for one in all_from_wire(ShownStep, row["steps"])],
            "signals": all_from_wire(ShownSignal, row["signals"]),
            "needs": [(kind.replace("_", " "), rows) for kind, rows in needs.items() if rows],
            "flow": flow,
            "code": code_of(row),
            "can_retry": state in RETRIED and login.may(Role.CLIENT),
            "can_go_on": flow is not None
            and flow["state"] is not None
            and state in RETRIED
            and login.may(Role.CLIENT),
            "can_cancel": not state.is_terminal and login.may(Role.CLIENT),
        },
    )


def arguments_of(payload: bytes) -> list[tuple[str, str]]:
    """Each argument as a name and a text; what looks like a secret by its name is hidden."""
    try:
        args, kwargs, _ = decode_work(payload, as_is=True)
    except DecodeError as error:
        return [("", f"<{error}>")]
    placed = [(str(place), shown(value)) for place, value in enumerate(redacted(list(args)), 1)]
    return [*placed, *((name, shown(value)) for name, value in redacted(kwargs).items())]


def _attempt(row: dict[str, Any]) -> dict[str, Any]:
    failure = Failure.decode(row["body"]) if row["body"] else None
    started, ended = row["started"], row["ended"]
    return {
        **row,
        "outcome": "running" if row["outcome"] is None else str(Outcome.from_number(row["outcome"])),
        "seconds": None if started is None else max(0.0, (ended or time.time()) - started),
        "is_running": ended is None and started is not None,
        "memory": _memory(failure),
        "what": f"{failure.type}: {failure.message}" if failure is not None and failure.type else "",
    }


def _memory(failure: Failure | None) -> int | None:
    """What its process had at the most, if it died."""
    peak = None if failure is None else failure.detail.get("peak_memory_bytes")
    return peak if isinstance(peak, int) else None


def _span(attempts: list[dict[str, Any]]) -> tuple[float, float] | None:
    """From the first start to the last end: the width of the line on which attempts are drawn."""
    starts = [one["started"] for one in attempts if one["started"] is not None]
    if not starts:
        return None
    ends = [one["ended"] or time.time() for one in attempts if one["started"] is not None]
    return min(starts), max(max(ends) - min(starts), 0.001)


def retry(login: Login, asked: ViewRequest) -> Done:
    return _change(login, asked, "retry", "ready again")


def retry_from_here(login: Login, asked: ViewRequest) -> Done:
    id = named(login.app.session, asked.path["id"]).ids.first
    flow = login.app.call((FLOWS.name,), "of_task", id)
    if flow is None:
        raise InvalidArgument(f"{show_id(id)} is not part of a flow")
    tasks = check_reached(retry_from(login.app, login.app.get_flow(show_id(flow)), id))
    words = "1 task runs" if tasks == 1 else f"{tasks:,} tasks run"
    return Done(note=f"{words} again: this one, those that need it, and what these need besides")


def cancel(login: Login, asked: ViewRequest) -> Done:
    return _change(login, asked, "cancel", "cancelled, or its worker was notified to end it")


def _change(login: Login, asked: ViewRequest, method: str, done: str) -> Done:
    id = named(login.app.session, asked.path["id"]).ids.first
    reached = login.app.call(TASKS, method, [id])
    return Done(
        note=f"{show_id(id)} is {done}"
        if reached
        else f"{show_id(id)}: there is no such task, or it has ended by now"
    )
