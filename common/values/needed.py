"""Results of other tasks in the arguments of a task: how they are named there, and how they come to stand in their places.

::

    submit      a handle ─► Needed, an ext type: the id of one task, or [[first id, how many], …] of several
    lease       Carried, an ext type around the arguments: [arguments, whether failures are passed on, some results]
    the task    each Needed ─► the result of its task, or a ``Failed`` (``failed.py``); those that the lease has not brought are fetched in pages

The master never reads arguments: which tasks are needed stands beside them in the submit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgpack

from ..domain.id_runs import IdRun, is_run
from ..domain.ids import show_id
from ..domain.model import TASK_ID_BYTES, StateNumber
from ..errors import DecodeError, TqError
from .blob import fetched_for

NEEDED_CODE: Final = 19
CARRIED_CODE: Final = 20
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)

Rows = list[list[Any]]  # [first id, state, [body, …]]
Fetch = Callable[[bytes], Rows]
"""The outcomes of needed tasks from this one on, in the order in which they are needed."""
MakeFailed = Callable[[bytes, int, bytes | None], Any]
"""What stands in the place of a result: of the id, the state and the failure of its task."""


@dataclass(frozen=True, slots=True)
class Needed:
    """``is_list``: a list of results stands there, else the result of the one task."""

    runs: tuple[IdRun, ...]
    is_list: bool

    def __repr__(self) -> str:
        tasks = sum(run.length for run in self.runs)
        if not self.is_list:
            return f"<the result of task {show_id(self.runs[0].first)}>"
        return f"<the results of {tasks:,} tasks>"

    def to_wire(self) -> bytes:
        packed: bytes = msgpack.packb(
            [list(run) for run in self.runs] if self.is_list else self.runs[0].first, use_bin_type=True
        )
        return packed

    @classmethod
    def from_wire(cls, body: bytes) -> Needed:
        """Raises DecodeError."""
        named = msgpack.unpackb(body)
        if type(named) is bytes and len(named) == TASK_ID_BYTES:
            return cls((IdRun(named, 1),), False)
        if type(named) is list and all(type(row) is list and len(row) == 2 and is_run(*row) for row in named):
            return cls(tuple(IdRun(*row) for row in named), True)
        raise DecodeError("these bytes do not name the result of a task")


class Gathering(Protocol):
    """Takes the handles that are met in the arguments of a call."""

    def add(self, session: Any, needed: Needed) -> str:
        """Why it cannot be, or nothing."""


def carry(payload: bytes, collects: bool, rows: Sequence[Any]) -> bytes:
    """Arguments with results that they need. ``collects``: failures stand in the places of results."""
    packed: bytes = msgpack.packb(
        msgpack.ExtType(CARRIED_CODE, msgpack.packb([payload, collects, rows], use_bin_type=True))
    )
    return packed


class Carried:
    """What ``carry`` made, read."""

    def __init__(self, body: bytes) -> None:
        made = msgpack.unpackb(body, raw=False, max_array_len=len(body), max_map_len=0)
        if not (type(made) is list and len(made) == 3 and type(made[0]) is bytes and type(made[1]) is bool):
            raise DecodeError("these bytes are not the arguments of a call with what it needs")
        self.payload, self.collects, self.rows = made


class NeededResults:
    """The results of needed tasks while the arguments of one task are decoded."""

    def __init__(self, carried: Carried, decode: Callable[[bytes], Any]) -> None:
        self._collects, self._decode = carried.collects, decode
        self._here: dict[bytes, tuple[int, bytes | None]] = {}
        self._take(carried.rows)

    def value(self, needed: Needed) -> Any:
        values = [self._one(id) for run in needed.runs for id in run.ids()]
        return values if needed.is_list else values[0]

    def _one(self, id: bytes) -> Any:
        here = self._here
        if id not in here:
            fetch = _source.fetch
            if fetch is None:
                raise DecodeError(
                    "these arguments need results of other tasks, which are given to their task alone"
                )
            try:
                self._take(fetch(id))
            except TqError as error:
                raise DecodeError(
                    f"the result of task {show_id(id)} could not be fetched: {error}"
                ) from error
            if id not in here:
                raise DecodeError(f"the master has not sent the result of task {show_id(id)}")
        state, body = here[id]
        if state == SUCCEEDED:
            if body is None:
                return None
            with fetched_for(id):
                return self._decode(body)
        if self._collects and _source.failed is not None:
            return _source.failed(id, state, body)
        raise DecodeError(f"the result of task {show_id(id)}, which is needed, is not there any more")

    def _take(self, rows: Rows) -> None:
        for first, state, bodies in rows:
            self._here.update(zip(_ids(first, len(bodies)), ((state, body) for body in bodies), strict=True))


def _ids(first: bytes, count: int) -> Iterable[bytes]:
    if not is_run(first, count):
        raise DecodeError("the master sent the results of no run of tasks")
    return IdRun(first, count).ids()


class _Source(threading.local):
    fetch: Fetch | None = None
    failed: MakeFailed | None = None


_source: Final = _Source()


def get_needed_from(fetch: Fetch, failed: MakeFailed) -> None:
    """Arguments that are decoded in this thread from now on get what they need from there: called in a worker's child."""
    _source.fetch, _source.failed = fetch, failed
