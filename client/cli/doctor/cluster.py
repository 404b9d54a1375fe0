"""The master's reports on itself, its disk and its workers; and a task sent through one of them."""

from __future__ import annotations

import time
from typing import Any, Final

from ....common.domain.model import Role
from ....common.domain.probe import PROBE
from ....common.errors import TaskError, TqError, UnknownObject
from ....common.runtime.checkup import Checkup
from ....common.values.codec import decode, encode_call
from ...app import App
from ...tasks.answers import TASKS
from . import judging

CALLS: Final = 15  # for the round trip
CALL_SECONDS_MAX: Final = 5.0
DISK_SECONDS_MAX: Final = 30.0  # a disk that needs longer is ill

_MASTER: Final = ("get_master",)


def look_at_key(found: Checkup, app: App) -> Role | None:
    """The permissions of the key, if it is accepted; the first call shows it."""
    try:
        who = app.call(_MASTER, "info", timeout=CALL_SECONDS_MAX).get("you")
    except (TqError, TimeoutError) as error:
        found.fail("key", str(error))
        return None
    if who is None:
        found.warn("key", "it is accepted; this master is too old to say what it may do")
        return Role.CLIENT
    queues = ", ".join(who["queues"]) or "every queue"
    found.ok("key", f"{who['key']}, role {who['role']}, for {queues}")
    return Role(who["role"])


def look_at_master(found: Checkup, app: App) -> bool:
    """Versions, clock, round trip, disk, workers; whether there are any of these."""
    took: list[float] = []
    ahead: list[tuple[float, float]] = []  # round trip, and the clock as it seemed
    info: dict[str, Any] = {}
    for _ in range(CALLS):
        began, wall = time.perf_counter(), time.time()
        info = app.call(_MASTER, "info", timeout=CALL_SECONDS_MAX)
        took.append(time.perf_counter() - began)
        ahead.append((took[-1], info["wall"] - (wall + took[-1] / 2)))
    rows = app.call(("get_workers",), "list", timeout=CALL_SECONDS_MAX)
    judging.judge_shards(found, app.session.shards, app.session.link.missing)
    judging.judge_versions(found, info["version"], [row for row in rows if row["connected"]])
    quickest, difference = min(ahead)
    judging.judge_clock(found, difference, quickest)
    judging.judge_round_trip(found, took)
    _look_at_disk(found, app, info)
    judging.judge_store(found, info)
    judging.judge_commit(found, info)
    judging.judge_workers(found, rows)
    _look_at_schedules(found, app)
    return any(row["connected"] for row in rows)


def _look_at_schedules(found: Checkup, app: App) -> None:
    """The first five hundred: where something is wrong with one, it mostly is with more."""
    try:
        rows = app.call(("get_schedules",), "list", timeout=CALL_SECONDS_MAX)["rows"]
    except UnknownObject:  # an older master
        return
    judging.judge_schedules(found, rows)


def _look_at_disk(found: Checkup, app: App, info: dict[str, Any]) -> None:
    try:
        answer = app.call(("get_disk",), "measure", encode_call((), {}), timeout=DISK_SECONDS_MAX)
        judging.judge_disk(found, decode(answer))
    except (TqError, TimeoutError) as error:
        found.fail("disk", f"{info.get('data', '')}: {error}")


def look_at_queue(found: Checkup, app: App, queue: str) -> bool:
    """Whether the queue hands out tasks."""
    rows = app.call(("get_queues",), "list", timeout=CALL_SECONDS_MAX)
    paused = next((row for row in rows if row["name"] == queue and row["paused"]), None)
    if paused is None:
        return True
    reason = paused["reason"] or "no reason given"
    found.warn("probe", f"the queue {queue} is paused ({reason}), so no task was sent; tq resume {queue}")
    return False


def look_at_tasks(
    found: Checkup, app: App, task: str | None, queue: str, args: list[Any], seconds: float
) -> None:
    """Send a task through a worker: the named one, or a task that does nothing. It is cancelled if it takes too long."""
    name = task or PROBE
    serving, _ = app.call(("get_workers",), "serving", queue, name, timeout=CALL_SECONDS_MAX)
    if not serving:
        what = f"{name} in queue {queue}" if task else f"from queue {queue}"
        found.fail("probe", f"no worker serves {what}; `tq workers --tasks` lists what they serve")
        return
    began = time.perf_counter()
    handle = app.named(name, queue=queue, timeout=seconds, expires=seconds).submit(*args)
    stored = time.perf_counter() - began
    try:
        ran = handle.result(seconds)
    except TaskError as error:
        found.fail("probe", f"{name} ran and failed: {error}; `tq show {handle.id}` has its traceback")
    except TimeoutError:
        why = app.call(TASKS, "show", handle._id, timeout=CALL_SECONDS_MAX)["why"]
        handle.cancel()
        found.fail("probe", f"{name} has no result after {seconds:g} s: {why}; it was cancelled")
    else:
        took = f"stored in {judging.brief(stored)}, back in {judging.brief(time.perf_counter() - began)}"
        where = "" if task else f" from {ran['host']} (Python {ran['python']})"
        found.ok("probe", f"{name}: {took}{where}")
