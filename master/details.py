"""A task as people want to see it: the row, its attempts, and one sentence on why it waits. Reads only."""

from __future__ import annotations

from typing import Any

from ..common.frames import unpack
from ..common.model import Outcome, State
from .engine import Engine
from .store.interface import FullTask


def summary(engine: Engine, task: FullTask) -> dict[str, Any]:
    """The fields of a listing; times are Unix seconds."""
    options = unpack(task.options) if task.options else {}
    return {
        "id": task.id,
        "name": task.task,
        "queue": task.queue,
        "state": task.state,
        "priority": task.priority,
        "attempt": task.attempt,
        "failures": task.failures,
        "crashes": task.crashes,
        "retries": options.get("retries", 0),
        "timeout": task.timeout,
        "created": task.created / 1000,
        "due": _seconds(task.due),
        "started": _seconds(task.started),
        "finished": _seconds(task.finished),
        "why": why(engine, task),
        "progress": engine.observations.progress(task),
    }


def details(engine: Engine, task: FullTask) -> dict[str, Any]:
    """Everything: the summary, payload and result as they are, and every attempt."""
    store = engine.store
    logs = engine.observations.texts(task)
    attempts = [
        {
            "attempt": row.attempt,
            "worker": row.host,
            "outcome": row.outcome,
            "started": _seconds(row.started),
            "ended": _seconds(row.ended),
            "body": row.body,
            "log": logs.get(row.attempt),
        }
        for row in store.attempts(task.seq)
    ]
    if task.state in (State.SUCCEEDED, State.RUNNING):  # the attempt that stands in the task's own row
        attempts.append(
            {
                "attempt": task.attempt,
                "worker": None if task.worker is None else store.worker_host(task.worker),
                "outcome": int(Outcome.SUCCESS) if task.state == State.SUCCEEDED else None,
                "started": _seconds(task.started),
                "ended": _seconds(task.finished),
                "body": None,
                "log": logs.get(task.attempt),
            }
        )
    return {
        **summary(engine, task),
        "payload": task.payload,
        "result": task.result,
        "attempts": attempts,
    }


def last_run(engine: Engine, task: FullTask) -> list[Any]:
    """``[id, worker, started, finished]`` of a task's last attempt, as far as it has them."""
    store = engine.store
    if task.state in (State.SUCCEEDED, State.RUNNING):
        host = None if task.worker is None else store.worker_host(task.worker)
        return [task.id, host, _seconds(task.started), _seconds(task.finished)]
    attempts = store.attempts(task.seq)
    if not attempts:
        return [task.id, None, None, None]
    last = attempts[-1]
    return [task.id, last.host, _seconds(last.started), _seconds(last.ended)]


def why(engine: Engine, task: FullTask) -> str:
    """Why a task is not finished, and what would change that; empty when it is."""
    state = State(task.state)
    if state.is_terminal:
        return ""
    if state == State.RUNNING:
        worker = engine.roster.by_number.get(task.worker or 0)
        host = worker.info.host if worker and worker.info else "a worker this master has not met yet"
        if worker is None or worker.session is None:
            return f"it was given to {host}, which is not connected now; it is handed out again if that lasts"
        cancelling = ", and was asked to cancel it" if task.cancel else ""
        return f"{host} has had it since {_ago(engine.now.wall - (task.started or 0))}{cancelling}"
    if state == State.SCHEDULED:
        reason = "before the next try" if task.attempt else "as it was asked to"
        return f"it waits {_ago(max(0, (task.due or 0) - engine.now.wall))} more, {reason}"
    if state == State.BLOCKED:
        return "it waits for other tasks"
    return _why_ready(engine, task)


def _why_ready(engine: Engine, task: FullTask) -> str:
    lane = engine.lanes.lane(task.queue, task.task)
    if lane.queue.paused:
        reason = f" ({lane.queue.reason})" if lane.queue.reason else ""
        return f"queue {task.queue} is paused{reason}; `tq resume {task.queue}` lets it run"
    able = [
        worker
        for worker in engine.roster.by_node.values()
        if worker.session is not None and worker.capability in lane.capabilities
    ]
    if not able:
        module = task.task.partition(":")[0]
        connected = sum(worker.session is not None for worker in engine.roster.by_node.values())
        return (
            f"none of the {connected} connected workers serves {task.task} in queue {task.queue}; "
            f"start one with `tq-worker --connect … {module}`"
        )
    slots = sum(worker.info.slots for worker in able if worker.info)
    ahead = lane.counts[State.READY] - 1
    return f"all {slots} slots that serve it are busy; {ahead:,} others of its kind wait as well"


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _ago(milliseconds: int) -> str:
    seconds = milliseconds / 1000
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"
