"""Why tasks have failed, as the master has counted it: for ``tq ls --group cause`` and the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...common.contract.observe import MASTER, CauseRow
from ...common.contract.rows import from_wire
from ...common.domain.ids import show_id
from ..app import App
from .output import ago, count, iso, print_json, print_table
from .redact import redacted

BARS: Final = "▁▂▃▄▅▆▇█"
HOURS_SHOWN: Final = 12  # as bars in a table


def causes(app: App) -> list[CauseRow]:
    """The one that occurred last first; a password in an address of a message is hidden."""
    rows = [from_wire(CauseRow, row) for row in app.call((MASTER.name,), "causes")]
    return [row._replace(message=redacted(row.message)) for row in rows]


def place(row: CauseRow) -> str:
    """The function, its file and the line, as people read it; empty if no traceback says them."""
    return f"{row.where}:{row.line}" if row.where else ""


def cause_for_programs(row: CauseRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "queue": row.queue,
        "error": row.kind,
        "message": row.message,
        "place": place(row),
        "tasks": row.failed,
        "retried": row.retried,
        "first": iso(row.first),
        "last": iso(row.last),
        "newest": show_id(row.newest),
        "hours": row.hours,
        "hosts": row.hosts,
        "versions": row.versions,
    }


def bars(counts: Sequence[int]) -> str:
    most = max(counts, default=0)
    return "".join(BARS[-(-one * (len(BARS) - 1) // most)] if one else " " for one in counts)


def print_causes(rows: Sequence[CauseRow], *, as_json: bool) -> None:
    if as_json:
        print_json([cause_for_programs(row) for row in rows])
        return
    print_table(
        ("#failed", "#retried", "#last", "12 hours", "task", "error", "in"),
        [
            (
                count(row.failed),
                count(row.retried),
                ago(row.last),
                bars(row.hours[-HOURS_SHOWN:]),
                row.name,
                row.kind,
                place(row),
            )
            for row in rows
        ],
        empty="nothing has failed",
        spare=("12 hours", "#retried"),
    )
