"""What a task needs or became, and which tasks need it or became it, as `tq show` prints it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...common.contract.dependencies import NeededRow
from ...common.contract.rows import all_from_wire
from ...common.contract.tasks import StateCount
from ...common.domain.ids import show_id
from ...common.domain.model import State
from ...common.runtime.terminal import write

KINDS = {"needs": "needs", "needed_by": "needed by", "became": "became", "became_it": "became this:"}
"""Of what the master answers: how it is said."""


def print_needs(answer: dict[str, Any]) -> None:
    for kind, words in KINDS.items():
        for row in all_from_wire(NeededRow, answer.get(kind, [])):
            many = f" and {row.tasks - 1:,} behind it" if row.tasks > 1 else ""
            write(
                f"  {words} {show_id(row.id)}{many}  {row.name} in queue {row.queue}: {_states(row.states)}\n"
            )


def needs_for_programs(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        kind: [
            {
                "id": show_id(row.id),
                "tasks": row.tasks,
                "queue": row.queue,
                "name": row.name,
                "states": {str(state): tasks for state, tasks in _counts(row.states)},
            }
            for row in all_from_wire(NeededRow, answer.get(kind, []))
        ]
        for kind in KINDS
    }


def _states(states: list[list[Any]]) -> str:
    counts = list(_counts(states))
    if len(counts) == 1 and counts[0][1] == 1:
        return str(counts[0][0])
    return ", ".join(f"{tasks:,} {state}" for state, tasks in counts)


def _counts(states: list[list[Any]]) -> Iterable[tuple[State, int]]:
    return ((State.from_number(one.state), one.tasks) for one in all_from_wire(StateCount, states))
