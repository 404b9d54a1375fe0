"""Why tasks have failed: by queue, callable, type of the error and place in the user's code, as the master counts it; retry a group."""

from __future__ import annotations

from typing import Any, Final

from ...client.cli.causes import cause_for_programs, causes, place
from ...common.contract.observe import CauseRow
from ...common.domain.ids import show_id
from ..logins import Login
from ..page import ShownPage, ViewRequest
from ..rendering import term

LOOK_SECONDS: Final = 10.0  # counts of retried attempts are not what the watcher sees
OUTCOME: Final = "("  # with which the kind of a cause begins that has no type of an error


def failures(login: Login, asked: ViewRequest) -> ShownPage:
    rows = causes(login.app)
    return ShownPage(
        title="Failures",
        template="failures.html",
        command="tq ls --group cause",
        every=LOOK_SECONDS,
        rows=lambda: [cause_for_programs(row) for row in rows],
        context={"causes": [_shown(row) for row in rows]},
    )


def _shown(row: CauseRow) -> dict[str, Any]:
    return {
        **row._asdict(),
        "key": " ".join((row.queue, row.name, row.kind, row.where)),
        "newest": show_id(row.newest),
        "place": place(row),
        "filter": filter_of(row),
        "most": max(row.hours, default=0),
        "total": sum(row.hours),
    }


def filter_of(row: CauseRow) -> str:
    """What means the tasks that are kept of this error, wherever in the code it occurred."""
    kind = "" if row.kind.startswith(OUTCOME) else " " + term("error", row.kind)
    return f"state=failed,dead,lost {term('name', row.name)} {term('queue', row.queue)}{kind}"
