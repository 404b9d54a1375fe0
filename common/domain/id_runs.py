"""Runs: tasks with consecutive ids, which a message names together.

Wherever a row names a task by its id, it may name a run: ``[first id, how many]`` in place of the id; and where the row has one
value for each task (a payload, a body, seconds), a list of them in its place. A run stays within one block of ids: only
the last PLACE_BYTES bytes differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from ..errors import ProtocolError
from ..values.brief import brief
from .ids import PLACE_BITS, consecutive_ids, id_behind
from .model import TASK_ID_BYTES

PLACE_BYTES: Final = PLACE_BITS // 8


class IdRun(NamedTuple):
    first: bytes
    length: int

    @property
    def place(self) -> int:
        """The end of the first id, as a number: the ids of a run count up from it."""
        return int.from_bytes(self.first[-PLACE_BYTES:], "big")

    def ids(self) -> list[bytes]:
        return (
            [self.first]
            if self.length == 1
            else consecutive_ids(int.from_bytes(self.first, "big"), self.length)
        )

    @property
    def behind(self) -> bytes:
        """The id behind the last one; empty at the end of the block."""
        place = self.place + self.length
        return b"" if place >> PLACE_BITS else self.first[:-PLACE_BYTES] + place.to_bytes(PLACE_BYTES, "big")

    def id(self, place: int) -> bytes:
        """The id so many places behind the first one."""
        return id_behind(self.first, place)

    def place_of(self, id: bytes) -> int:
        """How far behind the first one an id of the same block is."""
        return int.from_bytes(id[-PLACE_BYTES:], "big") - self.place

    def part(self, start: int, stop: int) -> IdRun:
        return IdRun(id_behind(self.first, start), stop - start)

    def ends(self) -> tuple[bytes, bytes]:
        """The first and the last id."""
        return self.first, id_behind(self.first, self.length - 1)

    def to_wire(self) -> bytes | list[Any]:
        return self.first if self.length == 1 else [self.first, self.length]


def is_run(first: Any, count: Any) -> bool:
    """Whether this names tasks: an id, how many, and room for that many ids in its block."""
    return (
        isinstance(first, bytes)
        and len(first) == TASK_ID_BYTES
        # For isinstance a bool is an int too.
        and type(count) is int
        and 0 < count <= (1 << PLACE_BITS) - int.from_bytes(first[-PLACE_BYTES:], "big")
    )


def run_from_wire(named: Any) -> IdRun | None:
    """What an id or ``[first id, how many]`` names; None: neither of them."""
    if isinstance(named, bytes):
        return IdRun(named, 1) if len(named) == TASK_ID_BYTES else None
    if type(named) is list and len(named) == 2 and is_run(*named):
        return IdRun(*named)
    return None


def first_runs(runs: Iterable[IdRun], runs_max: int, tasks_max: int) -> list[IdRun]:
    """The first ones, with at most so many tasks."""
    some: list[IdRun] = []
    for run in islice(runs, runs_max):
        if tasks_max <= 0:
            break
        some.append(run.part(0, min(tasks_max, run.length)))
        tasks_max -= run.length
    return some


def disjoint(runs: Iterable[IdRun]) -> list[IdRun]:
    """The same tasks in the order of their ids, each of them named once."""
    found: list[IdRun] = []
    behind = 0  # the number of the id behind the last one
    for run in sorted(runs):
        first = int.from_bytes(run.first, "big")
        start = max(0, behind - first)
        if start < run.length:
            found.append(run.part(start, run.length) if start else run)
            behind = first + run.length
    return found


def joined_runs(runs: Iterable[IdRun]) -> list[IdRun]:
    """The same tasks in the same order, neighbours in one run."""
    found: list[IdRun] = []
    for run in runs:
        if found and found[-1].behind == run.first:
            found[-1] = IdRun(found[-1].first, found[-1].length + run.length)
        else:
            found.append(run)
    return found


def runs_of(ids: Iterable[bytes]) -> Iterator[IdRun]:
    """Ids, in their order, as runs."""
    first, count, following = b"", 0, -1
    for id in ids:
        number = int.from_bytes(id, "big")
        # A run ends with its block: at the edge another one begins.
        if number == following and number & ((1 << PLACE_BITS) - 1):
            count += 1
        else:
            if count:
                yield IdRun(first, count)
            first, count = id, 1
        following = number + 1
    if count:
        yield IdRun(first, count)


def runs_with(ids: Sequence[bytes], values: Sequence[Any]) -> Iterator[list[Any]]:
    """``[id, value]`` of a task by itself, ``[first id, [value, …]]`` of a run."""
    at = 0
    for run in runs_of(ids):
        some = values[at : at + run.length]
        yield [run.first, some[0] if run.length == 1 else list(some)]
        at += run.length


def named(ids: Iterable[bytes]) -> list[Any]:
    """Ids as a message names them."""
    return [run.to_wire() for run in runs_of(ids)]


def ids_named(ids: Iterable[Any]) -> list[bytes]:
    """The ids that a message names. Raises ProtocolError."""
    found: list[bytes] = []
    for one in ids:
        run = run_from_wire(one)
        if run is None:
            raise ProtocolError(f"neither a task id nor a run of them: {brief(one, 80)}")
        found += run.ids()
    return found
