"""What is said of a node, in every format: others have named it, so it is text and nothing else. Pure."""

from __future__ import annotations

from typing import Final

from ....common.domain.durations import span
from ....common.domain.model import State
from ....common.runtime.cleaning import clean_line
from ...flows.graph import OUTSIDE, GraphNode

COLOURS: Final = {
    State.SUCCEEDED: "#2e9d57",
    State.RUNNING: "#1f9bcf",
    State.FAILED: "#d64545",
    State.DEAD: "#8f1d1d",
    State.LOST: "#8f1d1d",
    State.EXPIRED: "#d9a514",
    State.CANCELLED: "#d9a514",
    State.READY: "#8d99a6",
    State.SCHEDULED: "#8d99a6",
    State.BLOCKED: "#c3cad1",
}
UNKNOWN_COLOUR: Final = "#e4e7ea"  # of tasks that are not of the flow
# The state that a node of several is said to be in: what needs a person first, then what goes on.
WEIGHTS: Final = (
    State.DEAD, State.LOST, State.FAILED, State.RUNNING, State.EXPIRED, State.CANCELLED, State.READY, State.SCHEDULED, State.BLOCKED,
    State.SUCCEEDED,
)  # fmt: skip


def title(node: GraphNode) -> str:
    if node.rank == OUTSIDE:
        return f"{node.tasks:,} tasks outside of the flow" if node.tasks > 1 else "a task outside of the flow"
    many = f" ×{node.tasks:,}" if node.tasks > 1 else ""
    return clean_line(node.name) + many


def main_state(node: GraphNode) -> State | None:
    return next((state for state in WEIGHTS if node.states.get(state)), None)


def states_in_words(node: GraphNode) -> str:
    if node.tasks == 1 and node.states:
        return str(main_state(node))
    return ", ".join(
        f"{node.states[state]:,} {state}" for state in reversed(WEIGHTS) if node.states.get(state)
    )


def took(node: GraphNode, now: float) -> str:
    seconds = node.seconds(now)
    return "" if seconds is None else span(seconds)


def unshown(node: GraphNode) -> str:
    return f"needs {node.unshown:,} more that are not drawn" if node.unshown else ""


def cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: columns - 1] + "…"
