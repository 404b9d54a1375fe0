"""Signals that tasks of a flow wait for."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tq.client.app import App
from tq.client.flows.graph import FlowGraph, GraphNode
from tq.common.contract.rows import to_wire
from tq.common.contract.steps import ShownStep
from tq.common.domain.ids import show_id
from tq.common.domain.model import State
from tq.common.domain.steps import StepKind
from tq.common.errors import InvalidArgument
from tq.web.signals import LOOKED_AT_MAX, awaited, send


class Master:
    """Each task has recorded a call, and waits for an approval."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def call(self, target: Any, method: str, *args: Any) -> dict[str, Any]:
        self.calls.append((method, *args))
        steps = [
            ShownStep(1, int(StepKind.CALL), "priced", 1, 4.0, 0.1, None, 9),
            ShownStep(2, int(StepKind.WAIT), "approved", 1, 5.0, None, 99.0, 0),
        ]
        return {"steps": list(map(to_wire, steps))}


def node(first: int, state: State, tasks: int = 1) -> GraphNode:
    return GraphNode(first=first, tasks=tasks, queue="q", name="m:f", states={state: tasks})


def waits(*nodes: GraphNode) -> tuple[list[Any], Master]:
    master = Master()
    return list(
        awaited(cast(App, master), FlowGraph(nodes=nodes, edges=[[] for _ in nodes], critical=[]))
    ), master


def test_what_has_not_ended_is_asked_what_it_waits_for() -> None:
    [one], master = waits(node(7, State.SCHEDULED), node(8, State.SUCCEEDED), node(9, State.BLOCKED))
    id = (7).to_bytes(16, "big")
    assert (one.id, one.task, one.name, one.since, one.until) == (show_id(id), "m:f", "approved", 5.0, 99.0)
    assert master.calls == [("show", id)]


def test_of_very_many_the_first_ones_are_asked() -> None:
    found, master = waits(node(7, State.SCHEDULED, 1_000_000))
    assert len(found) == len(master.calls) == LOOKED_AT_MAX


def test_a_signal_is_sent_with_a_value_or_without() -> None:
    master, id = Master(), show_id((7).to_bytes(16, "big"))
    assert send(cast(App, master), id, "approved", '{"by": "ops"}') == f"{id} has the signal approved"
    assert master.calls[0][:3] == ("signal", (7).to_bytes(16, "big"), "approved")
    with pytest.raises(InvalidArgument, match="give both"):
        send(cast(App, master), id, "", "")
    with pytest.raises(InvalidArgument, match="not JSON"):
        send(cast(App, master), id, "approved", "{by")
