"""Tasks: where they are submitted, where their outcomes are collected, and what is asked about them by id or filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, Final, NamedTuple

from ..domain.id_runs import IdRun, is_run
from ..domain.ids import id_behind
from ..domain.model import Role
from ..errors import ProtocolError
from ..values.brief import brief
from .items import ITEM_METHODS
from .method import Audited, Contract, Method
from .rows import all_from_wire

TASK_QUEUE: Final = Contract(
    "get_task_queue",
    {
        **ITEM_METHODS,
        "submit": Method(Role.CLIENT, repeatable=True),
        "pause": Method(Role.ADMIN, repeatable=True, one_way=True, audited=Audited("paused queue", "name")),
        "resume": Method(Role.ADMIN, repeatable=True, one_way=True, audited=Audited("resumed queue", "name")),
    },
)
RESULT_QUEUE: Final = Contract(
    "get_result_queue",
    {  # what is watched belongs to a session: a client watches again on the next one, and repeats no call for it
        **ITEM_METHODS,
        "watch": Method(Role.CLIENT, one_way=True),
        "unwatch": Method(Role.CLIENT, one_way=True),
        "collect": Method(Role.CLIENT),
    },
)
TASKS: Final = Contract(
    "get_tasks",
    {
        "states": Method(Role.VIEWER, repeatable=True),
        "show": Method(Role.VIEWER, repeatable=True),
        "why": Method(Role.VIEWER, repeatable=True),
        "log": Method(Role.VIEWER, repeatable=True),
        "last_runs": Method(Role.VIEWER, repeatable=True),
        "progress": Method(Role.VIEWER, repeatable=True),
        "list": Method(Role.VIEWER, repeatable=True),
        "lines": Method(Role.VIEWER, repeatable=True),
        "meant": Method(Role.VIEWER, repeatable=True),
        "select": Method(Role.VIEWER, repeatable=True),
        "cancel": Method(
            Role.CLIENT,
            repeatable=True,
            audited=Audited("cancelled tasks", "ids", counts=True, together=True),
        ),
        "cancel_where": Method(
            Role.CLIENT, repeatable=True, audited=Audited("cancelled tasks", "filter", counts=True)
        ),
        # a task that was retried and has failed since would be retried once more
        "retry": Method(Role.CLIENT, audited=Audited("retried tasks", "ids", counts=True, together=True)),
        "retry_where": Method(Role.CLIENT, audited=Audited("retried tasks", "filter", counts=True)),
        "purge": Method(Role.ADMIN, repeatable=True, audited=Audited("deleted tasks", "filter", counts=True)),
    },
)


class OutcomeRow(NamedTuple):
    """How a task has ended. ``state`` −1: there is no such task; ``body``: its result, or a failure."""

    id: bytes
    state: int
    body: bytes | None


class OutcomeSlice(NamedTuple):
    """How tasks with consecutive ids have ended, all in the same state. ``bodies``: as of OutcomeRow, one for each of them."""

    first: bytes
    state: int
    bodies: list[bytes | None]

    @property
    def run(self) -> IdRun:
        return IdRun(self.first, len(self.bodies))

    def part(self, start: int, stop: int) -> OutcomeSlice:
        if not start and stop == len(self.bodies):
            return self
        return OutcomeSlice(id_behind(self.first, start), self.state, self.bodies[start:stop])

    def rows(self) -> Iterator[OutcomeRow]:
        """A row for each task."""
        return map(OutcomeRow._make, zip(self.run.ids(), repeat(self.state), self.bodies))


def outcome_slices(answer: Sequence[Any]) -> list[OutcomeSlice]:
    """What ``collect`` answers: ``[id, state, body]`` of one task, ``[first id, state, [body, …]]`` of a run. Raises ProtocolError."""
    slices: list[OutcomeSlice] = []
    for row in all_from_wire(OutcomeRow, answer):
        bodies: Any = row.body if isinstance(row.body, list) else [row.body]
        if not is_run(row.id, len(bodies)):
            raise ProtocolError(f"the master sent the outcomes of no run of tasks: {brief(row, 80)}")
        slices.append(OutcomeSlice(row.id, row.state, bodies))
    return slices


def rows_of(slices: Iterable[OutcomeSlice]) -> list[OutcomeRow]:
    """A row for each task."""
    return [row for one in slices for row in one.rows()]


class StateRow(NamedTuple):
    """What ``states``, ``cancel`` and ``retry`` answer of a task. ``state`` −1: there is no such task."""

    id: bytes
    state: int


class LastRun(NamedTuple):
    """What ``last_runs`` answers of a task's last attempt. Unix seconds."""

    id: bytes
    worker: str | None
    started: float | None
    finished: float | None


class RunningProgress(NamedTuple):
    """What ``progress`` answers about a running task that has reported its progress."""

    id: bytes
    started: float
    done: float
    total: float | None
    note: str


class TaskProgress(NamedTuple):
    """How far a task is, in the maps that ``show``, ``log`` and the listings answer. ``at``: when it said so, Unix seconds."""

    done: float
    total: float | None
    note: str
    at: float


class StateCount(NamedTuple):
    """How many tasks of a portion are in a state."""

    state: int
    tasks: int


def join_line(line: dict[str, Any], rest: dict[str, Any]) -> None:
    """Add its rest to a line of ``lines`` that comes in parts."""
    states = Counter(dict(line["states"]))
    states.update(dict(rest["states"]))
    line["states"] = sorted(states.items())
    line["id"], line["tasks"] = rest["id"], line["tasks"] + rest["tasks"]
    if "digits" in rest:
        line["digits"] = max(line["digits"], rest["digits"])
    line["error"] = line["error"] or rest["error"]
    tags = rest.get("tags", {})
    line["tags"] = {name: text for name, text in line.get("tags", {}).items() if tags.get(name) == text}
