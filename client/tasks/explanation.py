"""A task's story in one sentence: why it waits, or how it ended; and what would change that."""

from __future__ import annotations

import time
from typing import Any, Final

from ...common.domain.durations import span
from ...common.domain.ids import show_id
from ...common.domain.model import State
from ...common.domain.on_error import CATCH
from ...common.values.failure import DEPENDENCY, Failure

AGAIN: Final = "`tq retry {id}` makes it ready again"
ENDS: Final = {
    State.FAILED: "it failed {when} ago, at attempt {attempt}{what}; `tq show {id}` has the traceback, "
    + AGAIN,
    State.DEAD: "it is quarantined since {when} ago, after {deaths}{what}; find out what kills its process "
    "(`tq show {id}`), then " + AGAIN,
    State.CANCELLED: "it was cancelled {when} ago; " + AGAIN,
    State.EXPIRED: "it expired {when} ago: it was not started in time; add workers, and " + AGAIN,
    State.LOST: "its worker vanished {when} ago and at_most_once forbids a second start; look whether it was done, then "
    + AGAIN,
}


def explanation(task: dict[str, Any]) -> str:
    """``task``: what the master's ``show`` answers."""
    return task["why"] or _how_it_ended(task)


def _how_it_ended(task: dict[str, Any]) -> str:
    state = State.from_number(task["state"])
    when = span(max(0.0, time.time() - (task["finished"] or 0.0)))
    if state == State.SUCCEEDED:
        worker = task["attempts"][-1]["worker"] or "a worker that is no longer listed"
        return f"it succeeded {when} ago on {worker}, at attempt {task['attempt']}"
    if state == State.CANCELLED and task["on_error"] == CATCH and not task["attempts"]:
        return (
            f"it was not run, since {when} ago: it is for a failure of the tasks that it needs, and they have all succeeded, or it was "
            "cancelled by hand"
        )
    failure = Failure.decode(task["result"])
    if failure.detail.get("outcome") == DEPENDENCY:
        culprit = failure.detail.get("culprit")
        return f"it was not run: {failure.message}; retry {culprit} first (`tq retry {culprit}`), then `tq retry {show_id(task['id'])}`"
    what = f": {failure.type}: {failure.message}".splitlines()[0] if failure.type else ""
    return ENDS[state].format(
        when=when,
        attempt=task["attempt"],
        deaths="1 death" if task["crashes"] == 1 else f"{task['crashes']} deaths",
        what=what,
        id=show_id(task["id"]),
    )
