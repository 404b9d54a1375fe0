"""Workers: where they run, what each has and can run, what they ran when, and drain."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...client.cli import ran as shell
from ...client.cli.fleet import fleet
from ...client.cli.output import with_moments
from ...client.cli.ran import Ran
from ...client.cli.workers import with_units
from ...common.contract.rows import all_from_wire
from ...common.contract.workers import WORKERS, HeldTask, RanRow
from ...common.domain.ids import show_id
from ...common.errors import InvalidArgument, UnknownObject
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest
from ..timeline import timeline

LOOK_SECONDS: Final = 5.0  # of all: what ran is not what the watcher sees
LIVE_SECONDS: Final = 2.0  # of one worker: how long its tasks run is not what the watcher sees
RANGES: Final[Mapping[str, float]] = {
    "1min": 60.0,
    "5min": 300.0,
    "15min": 900.0,
    "1h": 3_600.0,
    "6h": 21_600.0,
    "1d": 86_400.0,
}
USUAL_RANGE: Final = "5min"
ASKED_SECONDS: Final = 4.0  # what ran is asked for so often, however many tabs are open
ZOOM_SECONDS_MIN: Final = 0.05
LAST_SHOWN: Final = 15  # of what one worker ran, as a table


def when(login: Login, asked: ViewRequest, rows: Sequence[dict[str, Any]], node: str = "") -> dict[str, Any]:
    """What the time line shows; ``rows``: the workers that there are. ``drawn``: None of a master from before there was one."""
    ran, chosen, drawn = None, "", None
    with contextlib.suppress(UnknownObject):
        ran, chosen = _ran_of(login, asked, node)
        drawn = timeline(ran, rows, login.colours, only=node)
    return {
        "ran": [] if ran is None else ran.rows,
        "drawn": drawn,
        "range": chosen,
        "ranges": list(RANGES),
        "command_ran": f"tq workers --ran {chosen or USUAL_RANGE}",
    }


def _ran_of(login: Login, asked: ViewRequest, node: str) -> tuple[Ran, str]:
    """What ran in the range of the address, and the name of that range; empty: a part that was chosen with the pointer."""
    if asked.get("from") or asked.get("until"):
        first, last = _moment(asked.get("from")), _moment(asked.get("until"))
        if not 0 < last - first <= max(RANGES.values()):
            raise InvalidArgument("the address names no span of time of up to a day; choose a range")
        return shell.read(login.app, max(ZOOM_SECONDS_MIN, last - first), last, node), ""
    chosen = asked.get("range") if asked.get("range") in RANGES else USUAL_RANGE
    found = login.recent(
        f"ran {chosen} {node}",
        ASKED_SECONDS,
        lambda: shell.read(login.app, RANGES[chosen], None, node),
    )
    return found, chosen


def _moment(text: str) -> float:
    try:
        return min(2.0**40, max(0.0, float(text)))
    except ValueError:
        raise InvalidArgument("the address names no span of time; choose a range") from None


def workers(login: Login, asked: ViewRequest) -> ShownPage:
    found = fleet(_rows(login))
    drawn = when(login, asked, found.living)
    return ShownPage(
        title="Workers",
        template="workers.html",
        command="tq workers --tasks",
        every=LOOK_SECONDS if drawn["range"] else None,
        rows=lambda: with_moments([*found.living, *found.absent]),
        context={
            **drawn,
            "living": found.living,
            "absent": found.absent_in_words(time.time()),
            "with_pools": any(row["pools"] for row in found.living),
            "with_labels": any(row["labels"] for row in found.living),
            "with_resources": any(row["resources"] for row in found.living),
        },
    )


def worker(login: Login, asked: ViewRequest) -> ShownPage:
    node = asked.path["node"]
    row = next((row for row in _rows(login) if row["node"] == node), None)
    if row is None:
        raise InvalidArgument(
            f"there is no worker {node[:40]}: it has ended, or was absent for more than an hour"
        )
    drawn = when(login, asked, [row], node)
    held = all_from_wire(HeldTask, login.app.call((WORKERS.name,), "running", node))
    return ShownPage(
        title=f"Worker {row['host']}",
        template="worker.html",
        command=drawn["command_ran"],
        every=LIVE_SECONDS if drawn["range"] else None,
        rows=lambda: [shell.for_programs(one) for one in drawn["ran"]],
        context={
            "row": row,
            "held": held,
            **drawn,
            "last": [_shown(one) for one in drawn["ran"] if one.ended is not None][:LAST_SHOWN],
        },
    )


def _shown(row: RanRow) -> dict[str, Any]:
    return {**row._asdict(), "id": show_id(row.id), "outcome": shell.outcome_of(row)}


def drain(login: Login, asked: ViewRequest) -> Done:
    found = login.app.call((WORKERS.name,), "drain", asked.path["node"])
    return Done(
        note=f"{found['host']} ({found['node'][:8]}) is draining: it finishes what it runs, returns the rest and ends"
    )


def _rows(login: Login) -> list[dict[str, Any]]:
    return [with_units(row) for row in login.app.call((WORKERS.name,), "list")]
