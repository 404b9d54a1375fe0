"""The overview: what goes in and out, what waits, what runs longest, what failed last."""

from __future__ import annotations

import time
from typing import Any, Final

from ...client.cli.fleet import fleet
from ...client.cli.queues import failed, has_tasks
from ...common.contract.observe import MASTER
from ...common.domain.model import State
from ...common.errors import Unreachable
from ..ends import for_programs, with_ends
from ..logins import Login
from ..page import ShownPage, ViewRequest
from ..series import RANGES

QUEUES_SHOWN: Final = 12
RUNNING_SHOWN: Final = 8
FAILING_SHOWN: Final = 8


def snapshot_of(login: Login) -> dict[str, Any]:
    """What the watcher has seen last, if that is new or the master is away; else it is asked for."""
    watcher = login.watcher
    found = watcher.snapshot
    if found is not None and (watcher.away_since is not None or not watcher.is_stale()):
        return found
    asked_at = time.monotonic()
    try:
        asked: dict[str, Any] = login.app.call((MASTER.name,), "snapshot")
    except Unreachable:
        watcher.urge()
        if found is None:
            raise
        return found
    watcher.hand_over(asked, asked_at)
    return asked


def totals(snapshot: dict[str, Any]) -> dict[str, int]:
    """Tasks by state, over all queues."""
    return {str(state): sum(row[state] for row in snapshot["queues"]) for state in State}


def overview(login: Login, asked: ViewRequest) -> ShownPage:
    snapshot = snapshot_of(login)
    chosen = asked.get("range")
    queues = [row for row in snapshot["queues"] if has_tasks(row)]
    waiting = sorted(queues, key=lambda row: (-row["ready"], -row["running"], row["name"]))
    found = fleet(snapshot["workers"])
    here = [row for row in found.living if row["connected"]]
    states = totals(snapshot)
    return ShownPage(
        title="Overview",
        template="overview.html",
        head="overview.head.html",
        command="tq top",
        rows=lambda: for_programs(with_ends(login, snapshot)),
        context={
            "snapshot": snapshot,
            "ranges": list(RANGES),
            "range": chosen if chosen in RANGES else next(iter(RANGES)),
            "states": states,
            "failed_tasks": states["failed"] + states["dead"] + states["lost"],
            "slots": sum(row["slots"] for row in here),
            "busy": sum(row["running"] for row in here),
            "workers": len(here),
            "absent": found.absent_in_words(time.time()),
            "queues": waiting[:QUEUES_SHOWN],
            "queues_left": max(0, len(waiting) - QUEUES_SHOWN),
            "deepest": max((row["ready"] for row in waiting), default=0),
            "oldest": max(
                (row["oldest_ready_seconds"] for row in queues if row["oldest_ready_seconds"] is not None),
                default=None,
            ),
            "paused": [row for row in snapshot["queues"] if row["paused"]],
            "running": snapshot["running"][:RUNNING_SHOWN],
            "failing": snapshot["failing"][:FAILING_SHOWN],
            "failed_of": failed,
        },
    )
