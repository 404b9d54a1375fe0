"""Workers: who is there, what each runs and could run; drain one."""

from __future__ import annotations

import time
from typing import Any

from ...client.cli.fleet import fleet
from ...client.cli.output import iso, with_moments
from ...client.cli.workers import with_units
from ...common.contract.rows import all_from_wire
from ...common.contract.workers import WORKERS, HeldTask
from ...common.domain.ids import show_id
from ...common.errors import InvalidArgument
from ..logins import Login
from ..page import Done, ShownPage, ViewRequest

LIVE_SECONDS = 2.0  # of one worker: how long its tasks run is not what the watcher sees


def workers(login: Login, asked: ViewRequest) -> ShownPage:
    found = fleet(_rows(login))
    return ShownPage(
        title="Workers",
        template="workers.html",
        command="tq workers --tasks",
        rows=lambda: with_moments([*found.living, *found.absent]),
        context={
            "living": found.living,
            "absent": found.absent_in_words(time.time()),
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
    held = all_from_wire(HeldTask, login.app.call((WORKERS.name,), "running", node))
    return ShownPage(
        title=f"Worker {row['host']}",
        template="worker.html",
        command="tq workers --tasks",
        every=LIVE_SECONDS,
        rows=lambda: [{**one._asdict(), "id": show_id(one.id), "since": iso(one.since)} for one in held],
        context={"row": row, "held": held},
    )


def drain(login: Login, asked: ViewRequest) -> Done:
    found = login.app.call((WORKERS.name,), "drain", asked.path["node"])
    return Done(
        note=f"{found['host']} ({found['node'][:8]}) is draining: it finishes what it runs, returns the rest and ends"
    )


def _rows(login: Login) -> list[dict[str, Any]]:
    return [with_units(row) for row in login.app.call((WORKERS.name,), "list")]
