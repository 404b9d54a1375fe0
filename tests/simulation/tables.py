"""What the tables of the store say, read by statements of the simulator's own, and what they must say together.

The shipped code counts and finds tasks by indexes and sums; here every row is looked at.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from tq.common.domain.ids import id_behind
from tq.common.domain.model import StateNumber
from tq.common.wire.frames import unpack

SECONDS_BYTES = 4  # of one task in a slice's column of times
Ask = Callable[[str], list[Any]]


class Torn(Exception):
    """Two rows contradict each other."""


class LeaseRow(NamedTuple):
    seq: int
    attempt: int
    lease: bytes
    worker: int


class Row(NamedTuple):
    """Of ``slices``, or of ``tasks``: then it is one task, and ``array`` is None."""

    seq: int
    stop: int
    array: int | None
    id: bytes  # of the first task
    route: int
    state: int
    attempt: int
    lease: bytes
    worker: int
    seconds: bytes | None
    results: bytes | None


def read(ask: Ask) -> list[Row]:
    """All rows that stand for tasks, in the order of their numbers. Raises Torn."""
    slices = ask(
        "SELECT slices.seq, slices.stop, array, arrays.id, arrays.seq, route, state, attempt, lease, worker, seconds, results"
        " FROM slices JOIN arrays ON arrays.seq = array"
    )
    rows = [
        Row(seq, stop, array, id_behind(id, seq - first), *rest)
        for seq, stop, array, id, first, *rest in slices
    ]
    if len(rows) != ask("SELECT count(*) FROM slices")[0][0]:
        raise Torn("a slice has no array")
    alone = ask("SELECT seq, id, route, state, attempt, lease, worker, NULL, result FROM tasks")
    rows += [Row(seq, seq + 1, None, *rest) for seq, *rest in alone]
    return sorted(rows, key=lambda row: row.seq)


def counts(rows: list[Row]) -> dict[tuple[int, StateNumber], int]:
    """How many tasks each route has in each state."""
    found: Counter[tuple[int, StateNumber]] = Counter()
    for row in rows:
        found[row.route, StateNumber(row.state)] += row.stop - row.seq
    return dict(found)


def leases(rows: list[Row]) -> dict[bytes, LeaseRow]:
    """Of each task that runs."""
    return {
        id_behind(row.id, place): LeaseRow(row.seq + place, row.attempt, row.lease, row.worker)
        for row in rows
        if row.state == StateNumber.RUNNING
        for place in range(row.stop - row.seq)
    }


def check_arrays(ask: Ask, rows: list[Row], purged: Collection[int]) -> None:
    """Raises Torn unless no task stands in two rows, and each array has all its tasks, but for those that were purged."""
    behind = 0
    for row in rows:
        if row.seq < behind:
            raise Torn(f"task {row.seq} stands in two rows")
        if row.stop <= row.seq:
            raise Torn(f"the slice at {row.seq} has no task")
        if row.array is not None and row.state == StateNumber.SUCCEEDED:
            _check_results(row)
        behind = row.stop
    starts = [row.seq for row in rows]
    for first, stop, id in ask("SELECT seq, stop, id FROM arrays"):
        inside = rows[bisect_left(starts, first) : bisect_left(starts, stop)]
        if any(row.stop > stop or row.array not in (None, first) for row in inside):
            raise Torn(f"a slice of the array at {first} reaches out of it")
        if any(row.id != id_behind(id, row.seq - first) for row in inside):
            raise Torn(f"a task of the array at {first} has the id of another")
        missing = stop - first - sum(row.stop - row.seq for row in inside)
        if missing and missing != sum(seq in purged for seq in range(first, stop)):
            raise Torn(f"of the {stop - first} tasks of the array at {first} {missing} are missing")


def _check_results(row: Row) -> None:
    tasks = row.stop - row.seq
    seconds, results = len(row.seconds or b"") // SECONDS_BYTES, len(unpack(row.results or b"\x90"))
    if (seconds, results) != (tasks, tasks):
        raise Torn(f"the slice at {row.seq} has {tasks} tasks, {seconds} times and {results} results")
