"""The WHERE of a listing of tasks. Only fixed text and whole numbers are assembled; every other value is a parameter.

A task that is leased and has not begun is shown as READY: the caller says which have begun.
"""

from __future__ import annotations

from typing import Any

from ....common.domain.model import StateNumber
from ..interface.queries import TaskFilter
from .slice_table import SUCCEEDED, are_unsuccessful


def conditions(what: TaskFilter) -> tuple[str, list[Any]]:
    terms: list[str] = [_states(what)] if what.states else []
    if are_unsuccessful(what.states):
        terms.append(f"state > {SUCCEEDED}")  # as in the index of those
    values: list[Any] = []
    for column, value in (("queue = ?", what.queue), ("task = ?", what.task)):
        if value is not None:
            terms.append(column)
            values.append(value)
    for column, number in (("created >= ?", what.since), ("seq < ?", what.before_seq)):
        if number is not None:
            terms.append(column)
            values.append(number)
    return " AND ".join(terms) or "1", values


def _states(what: TaskFilter) -> str:
    wanted = {int(state) for state in what.states}
    ready, running = int(StateNumber.READY) in wanted, int(StateNumber.RUNNING) in wanted
    if ready == running:
        wanted |= {int(StateNumber.RUNNING)} if ready else set()
        return f"state IN ({_numbers(wanted)})"
    begun = f"seq {'IN' if running else 'NOT IN'} ({_numbers(what.begun)})"
    rest = _numbers(wanted - {int(StateNumber.RUNNING)})
    return f"(state IN ({rest}) OR (state = {int(StateNumber.RUNNING)} AND {begun}))"


def _numbers(numbers: Any) -> str:
    return ", ".join(str(int(number)) for number in sorted(numbers))
