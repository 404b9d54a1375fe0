"""``tq ls``: an array is one line with its tasks counted by state, a task by itself another."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from ...common.domain.id_text import IdRange
from ...common.domain.ids import show_id
from ...common.domain.model import State
from ..app import App
from ..tasks.named import short_range
from .bulk import TASKS, task_cells
from .output import CellTexts, ago, count, for_eyes, iso, print_table, task_row
from .where import Filter

PAGE: Final = 1_000  # lines in one answer
ANSWERS_MAX: Final = 20  # for one line: of as many rows as a person waits for

COLUMNS: Final = ("id", "state", "task", "queue", "#attempt", "#age", "error")
SPARE: Final = ("queue", "#attempt", "#age")

Row = dict[str, Any]


def is_array(row: Row) -> bool:
    return "tasks" in row


def tasks_of(row: Row) -> int:
    """How many tasks that match a line stands for."""
    return sum(tasks for _, tasks in row["states"]) if is_array(row) else 1


def newest_lines(app: App, wanted: Filter, limit: int) -> list[Row]:
    """The newest arrays and tasks with anything that matches."""
    rows: list[Row] = []
    before: list[Any] | None = None
    answers = 0
    while True:
        answer = app.call(TASKS, "lines", wanted, max(1, min(limit - len(rows), PAGE)), before)
        for row in answer["rows"]:
            if row.get("rest"):
                _join(rows, row)
            else:
                rows.append(row)
        before = answer["before"]
        in_a_line = before is not None and before[1] is not None
        answers = answers + 1 if in_a_line else 0
        if in_a_line and answers == ANSWERS_MAX:
            rows[-1]["more"], before, in_a_line = True, [before[0], None], False
        if not in_a_line:
            rows = [row for row in rows if not is_array(row) or row["states"]]
            if before is None or len(rows) >= limit:
                return rows[:limit]


def _join(rows: list[Row], rest: Row) -> None:
    """Add the rest of a line to it."""
    line = rows[-1]
    states = Counter(dict(line["states"]))
    states.update(dict(rest["states"]))
    line["states"] = sorted(states.items())
    line["id"], line["tasks"] = rest["id"], line["tasks"] + rest["tasks"]
    line["digits"] = max(line["digits"], rest["digits"])
    line["error"] = line["error"] or rest["error"]


def print_lines(rows: list[Row], empty: str) -> None:
    """A table of arrays and tasks; errors have a column if there are any."""
    columns = COLUMNS if any(row.get("error") for row in rows) else COLUMNS[:-1]
    spare = SPARE if len(columns) == len(COLUMNS) else SPARE[:-1]
    is_short = for_eyes()
    cells = [_array_cells(row, is_short) if is_array(row) else _task_cells(row, is_short) for row in rows]
    print_table(columns, [line[: len(columns)] for line in cells], empty=empty, spare=spare)


def _task_cells(row: Row, is_short: bool) -> tuple[object, ...]:
    cells = task_cells(row)
    return (row["short"], *cells[1:]) if is_short else cells


def _array_cells(row: Row, is_short: bool) -> tuple[object, ...]:
    ids = IdRange(row["id"], row["tasks"])
    return (
        short_range(*ids, row["digits"]) if is_short else str(ids),
        states_in_words(row["states"], more=row.get("more", False)),
        row["name"],
        row["queue"],
        "",
        ago(row["created"]),
        row["error"] or "",
    )


def states_in_words(states: list[tuple[int, int]], *, more: bool = False) -> CellTexts:
    """``1,600 ready, 198,400 succeeded``"""
    words = [f"{count(tasks)} {State.from_number(number)}" for number, tasks in states]
    return CellTexts(["at least", *words] if more else words)


def line_row(row: Row) -> Row:
    """A line as ``--json`` shows it."""
    if not is_array(row):
        return task_row({name: value for name, value in row.items() if name != "short"})
    return {
        "id": str(IdRange(row["id"], row["tasks"])),
        "first": show_id(row["id"]),
        "tasks": row["tasks"],
        "states": {str(State.from_number(number)): tasks for number, tasks in row["states"]},
        "complete": not row.get("more", False),
        "name": row["name"],
        "queue": row["queue"],
        "created": iso(row["created"]),
        "error": row["error"],
    }
