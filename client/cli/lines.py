"""``tq ls``: an array is one line with its tasks counted by state, a flow another, and so is a task by itself."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ...common.contract.tasks import join_line
from ...common.domain.id_text import IdRange
from ...common.domain.ids import show_id
from ...common.domain.model import State
from ...common.domain.tags import tags_in_words
from ..app import App
from ..tasks.named import short_range
from .bulk import TASKS, print_filled, task_cells
from .flows import for_programs as flow_for_programs
from .output import CellTexts, ago, count, for_eyes, iso, task_row
from .where import Filter

PAGE: Final = 1_000  # lines in one answer
ANSWERS_MAX: Final = 20  # for one line: of as many rows as a person waits for

COLUMNS: Final = ("id", "state", "task", "queue", "#attempt", "#age", "tags", "error")

Row = dict[str, Any]


def is_array(row: Row) -> bool:
    return "tasks" in row


def is_flow(row: Row) -> bool:
    return "flow" in row


def tasks_of(row: Row) -> int:
    """How many tasks that match a line stands for."""
    if is_flow(row):
        return int(row["flow"]["total"])
    return sum(tasks for _, tasks in row["states"]) if is_array(row) else 1


class LineReader:
    """Reads the newest arrays and tasks with anything that matches, and counts the answers that it took."""

    def __init__(
        self,
        app: App,
        wanted: Filter,
        timeout: float | None = None,
        *,
        is_short: bool = True,
        before: list[Any] | None = None,
        flows: bool = False,
    ) -> None:
        """``is_short``: ask for short ids, too, which costs the master some looks for each. ``before``: go on where another reader
        has ended. ``flows``: list each flow as one line; with a filter, the tasks of flows are listed themselves."""
        self._app, self._wanted, self._timeout, self._is_short = app, wanted, timeout, is_short
        self._flows = [True] if flows and not wanted else []
        self._rows: list[Row] = []
        self._before = before
        self.answers = 0

    @property
    def before(self) -> list[Any] | None:
        """Where what was read ends; None: there is nothing behind it, or nothing was read."""
        return self._before

    def read(self, limit: int, answers_max: int | None = None, seconds: float | None = None) -> list[Row]:
        """At most ``limit``; fewer if there are no more, or if it takes more answers, or longer."""
        for_line = 0
        until = math.inf if seconds is None else time.monotonic() + seconds
        while True:
            self._ask(max(1, min(limit - len(self._rows), PAGE)))
            is_last = self.answers == answers_max or time.monotonic() >= until
            for_line = for_line + 1 if self._in_a_line else 0
            if self._in_a_line and (is_last or for_line == ANSWERS_MAX):
                self._leave_line()
                for_line = 0
            if not self._in_a_line:
                self._rows = [row for row in self._rows if not is_array(row) or row["states"]]
                if self._before is None or len(self._rows) >= limit or is_last:
                    return self._rows[:limit]

    def _ask(self, limit: int) -> None:
        asked = self._wanted, limit, self._before, self._is_short, *self._flows
        answer = self._app.call(TASKS, "lines", *asked, timeout=self._timeout)
        self.answers += 1
        self._before = answer["before"]
        for row in answer["rows"]:
            if row.get("rest"):
                join_line(self._rows[-1], row)
            else:
                self._rows.append(row)

    @property
    def _in_a_line(self) -> bool:
        """Whether the last line was not counted to its end."""
        return self._before is not None and self._before[1] is not None

    def _leave_line(self) -> None:
        """It takes too long: count no more of it."""
        self._rows[-1]["more"] = True
        self._before = None if self._before is None else [self._before[0], None]


def all_lines(app: App, wanted: Filter) -> Iterator[Row]:
    """Every line and, of those that come in parts, each part."""
    before: list[Any] | None = None
    while True:
        answer = app.call(TASKS, "lines", wanted, PAGE, before, False)
        yield from answer["rows"]
        before = answer["before"]
        if before is None:
            return


def newest_lines(app: App, wanted: Filter, limit: int, *, is_short: bool = True) -> list[Row]:
    """For people: each flow is one line, unless a filter asks for tasks."""
    return LineReader(app, wanted, is_short=is_short, flows=True).read(limit)


def short_id(row: Row) -> str:
    """As short as a line's id may be written."""
    return short_range(row["id"], row["tasks"], row["digits"]) if is_array(row) else row["short"]


def print_lines(rows: list[Row], empty: str) -> None:
    """A table of arrays, flows and tasks; tags and errors have a column if there are any."""
    is_short = for_eyes()
    print_filled(COLUMNS, rows, [_cells(row, is_short) for row in rows], empty)


def _cells(row: Row, is_short: bool) -> tuple[object, ...]:
    if is_flow(row):
        return _flow_cells(row, is_short)
    return _array_cells(row, is_short) if is_array(row) else _task_cells(row, is_short)


def _task_cells(row: Row, is_short: bool) -> tuple[object, ...]:
    cells = task_cells(row)
    return (short_id(row), *cells[1:]) if is_short else cells


def _array_cells(row: Row, is_short: bool) -> tuple[object, ...]:
    ids = IdRange(row["id"], row["tasks"])
    return (
        short_id(row) if is_short else str(ids),
        line_in_words(row),
        row["name"],
        row["queue"],
        "",
        ago(row["created"]),
        tags_in_words(row.get("tags", {})),
        row["error"] or "",
    )


def _flow_cells(row: Row, is_short: bool) -> tuple[object, ...]:
    flow = row["flow"]
    id = row["short"] if is_short else flow["id"]
    return id, flow_line_in_words(flow), f"flow {flow['name']}".rstrip(), "", "", ago(row["created"]), "", ""


def flow_line_in_words(flow: Row) -> CellTexts:
    """``running: 40 of 1,200 ended, 2 failed``"""
    ended = flow["succeeded"] + flow["failed"] + flow["cancelled"]
    words = [f"{flow['state']}: {count(ended)} of {count(flow['total'])} ended"]
    words += [f"{count(flow[name])} {name}" for name in ("running", "failed", "cancelled") if flow[name]]
    return CellTexts(words)


def line_in_words(row: Row) -> CellTexts:
    """The states of an array's tasks."""
    return states_in_words(row["states"], of=row["tasks"], more=row.get("more", False))


def states_in_words(states: Iterable[tuple[int, int]], *, of: int = 0, more: bool = False) -> CellTexts:
    """``1,600 ready, 198,400 succeeded``; ``3 failed of 200,000`` when not all are counted. ``more``: it was too long to count."""
    states = list(states)
    words = [f"{count(tasks)} {State.from_number(number)}" for number, tasks in states]
    if more:
        return CellTexts([f"at least {words[0]}", *words[1:]] if words else ["at least 0"])
    if words and of > sum(tasks for _, tasks in states):
        words[-1] += f" of {count(of)}"
    return CellTexts(words)


def line_row(row: Row) -> Row:
    """A line as ``--json`` shows it."""
    if is_flow(row):
        return {
            "id": row["flow"]["id"],
            "flow": flow_for_programs(row["flow"]),
            "created": iso(row["created"]),
        }
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
        "tags": row.get("tags", {}),
        "error": row["error"],
    }
