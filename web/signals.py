"""Signals that tasks of a flow wait for, and sending one: as `tq signal` does."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final, NamedTuple

from ..client.app import App
from ..client.cli.submit import as_argument
from ..client.flows.graph import FlowGraph
from ..client.tasks.answers import TASKS
from ..client.tasks.signals import STEPS, signal_arguments
from ..common.contract.rows import all_from_wire
from ..common.contract.steps import ShownStep
from ..common.domain.ids import parse_id, show_id
from ..common.domain.model import State
from ..common.domain.steps import StepKind
from ..common.errors import InvalidArgument
from .calls import IN_A_FIELD

LOOKED_AT_MAX: Final = 12  # tasks of a flow that may wait for a signal
WAITS_IN: Final = (State.SCHEDULED, State.RUNNING, State.READY)


class AwaitedSignal(NamedTuple):
    """``until``: when the task goes on without it, Unix seconds; None: never."""

    id: str
    task: str
    name: str
    since: float
    until: float | None


def awaited(app: App, graph: FlowGraph) -> list[AwaitedSignal]:
    """Signals that tasks of a flow wait for, of the first tasks that may."""
    found: list[AwaitedSignal] = []
    may = (
        (node.name, (node.first + place).to_bytes(16, "big"))
        for node in graph.nodes
        if any(state in WAITS_IN for state in node.states)
        for place in range(node.tasks)
    )
    for name, id in islice(may, LOOKED_AT_MAX):
        row: dict[str, Any] = app.call(TASKS, "show", id)
        steps = [one for one in all_from_wire(ShownStep, row["steps"]) if one.kind == StepKind.WAIT]
        found += [AwaitedSignal(show_id(id), name, one.name, one.recorded, one.until) for one in steps]
    return found


def send(app: App, task: str, name: str, text: str) -> str:
    """``text``: JSON, or a word; empty: no value. Returns the sentence of what was done."""
    if not task or not name:
        raise InvalidArgument("a signal has a task and a name; give both")
    app.call(
        STEPS,
        "signal",
        *signal_arguments(parse_id(task), name, as_argument(text, IN_A_FIELD) if text else None),
    )
    return f"{task} has the signal {name}"
