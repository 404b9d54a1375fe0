"""Which worker ran what when, as the shell and the page read it: ``tq workers --ran 10min``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from ...common.contract.rows import all_from_wire
from ...common.contract.workers import WORKERS, RanRow
from ...common.domain.durations import span
from ...common.domain.ids import show_id
from ...common.domain.model import Outcome, OutcomeNumber
from ...common.runtime.terminal import say
from ..app import App
from .output import iso, print_json, print_table

COLUMNS: Final = ("ended", "worker", "outcome", "#took", "task", "#tasks", "id")
RUNNING: Final = "running"


class Ran(NamedTuple):
    """``since``, ``until``, ``now``: Unix seconds. ``is_whole``: nothing was left out; else the rows are a sample of the span."""

    rows: list[RanRow]
    since: float
    until: float
    now: float
    is_whole: bool


def read(app: App, seconds: float, until: float | None = None, node: str = "") -> Ran:
    """What ran in so many seconds up to ``until``; None: up to now, with what runs. ``node``: of one worker."""
    answer = app.call((WORKERS.name,), "attempts", seconds, until, node)
    rows = all_from_wire(RanRow, answer["rows"])
    return Ran(rows, answer["from"], answer["until"], answer["now"], answer["is_whole"])


def outcome_of(row: RanRow) -> str:
    return RUNNING if row.outcome is None else str(Outcome[OutcomeNumber(row.outcome).name])


def for_programs(row: RanRow) -> dict[str, Any]:
    return {
        **row._asdict(),
        "id": show_id(row.id),
        "outcome": outcome_of(row),
        "started": iso(row.started),
        "ended": iso(row.ended),
    }


def print_ran(ran: Ran, *, as_json: bool) -> None:
    if as_json:
        print_json([for_programs(row) for row in ran.rows])
    else:
        cells = [_cells(row) for row in ran.rows]
        print_table(COLUMNS, cells, empty="no worker ran anything in that time", spare=("#tasks", "worker"))
    if not ran.is_whole:
        say("there were more: these are the last ones of each part of that time, and what runs")


def _cells(row: RanRow) -> tuple[object, ...]:
    when = "" if row.ended is None else datetime.fromtimestamp(row.ended).strftime("%H:%M:%S")
    tasks = "" if row.tasks == 1 else row.tasks
    worker = f"{row.host} {row.node[:8]}".strip()
    return (when, worker, outcome_of(row), span(row.seconds), row.name, tasks, show_id(row.id))
