"""The embedded store's lease from lanes with an order of their own: see ``interface.tasks.LaneOrder``.

No row is written when a queue gets another order, and none is read but those that may come first: of each priority there is the first
ones by age, from the one end of an index or the other, and by deadline. What comes first of all is the least of these::

    priority 5   ─ oldest ─►  ─ urgent ─►   │
    priority 0   ─ oldest ─►  ─ urgent ─►   │─► by (priority plus aging, deadline, age)
    priority -3  ─ oldest ─►  ─ urgent ─►   │

Without aging the first priorities that have enough are looked at; with it all that there are, of which there may be some two hundred.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from ..interface.slices import LeasedSlice
from ..interface.store import Inconsistent
from ..interface.tasks import LaneOrder, Leased, Want
from .named_leases import Head, SqliteNamedLeases, place_of
from .slice_leases import Piece
from .slice_table import ReadySlice

HIGHEST: Final = 1 << 16  # above every priority
UNBOUNDED: Final = 1 << 62


class SqliteOrderedLeases(SqliteNamedLeases):
    """Part of ``SqliteTasks``."""

    def _first_in_order(self, lane: int, order: LaneOrder) -> tuple[int, int] | None:
        found = self._in_order(lane, order, 1)
        if not found:
            return None
        rank, turn = place_of(found[0])
        return -rank, turn

    def _in_order(self, lane: int, order: LaneOrder, tasks: int) -> list[Head]:
        """The next so many tasks of a lane, and some more."""
        heads: dict[int, Head] = {}
        left = tasks
        for priority in self._levels(lane):
            for head in self._of_level(lane, priority, order, tasks):
                # One task may be found by its deadline and by its age.
                if head.seq not in heads:
                    heads[head.seq] = head
                    left -= 1 if head.slice is None else head.slice.stop - head.seq
            # With aging an old task of a lower level may come before a new one of a higher.
            if left <= 0 and not order.aging:
                break
        return sorted(heads.values(), key=place_of)

    def _levels(self, lane: int) -> Iterator[int]:
        """The priorities of its ready tasks, the highest first."""
        below = HIGHEST
        while True:
            of_tasks = self._all("next_level", (lane, below))[0][0]
            of_slices = self._all("next_level_of_slices", (lane, below))[0][0]
            found = [one for one in (of_tasks, of_slices) if one is not None]
            if not found:
                return
            below = max(found)
            yield below

    def _of_level(self, lane: int, priority: int, order: LaneOrder, tasks: int) -> Iterator[Head]:
        kinds = ["urgent"] if order.by_deadline else []
        if order.aging or not order.by_deadline:
            kinds.append("newest" if order.is_lifo else "oldest")
        for kind in kinds:
            for row in self._all(f"{kind}_heads", (lane, priority, tasks)):
                _, seq, size, created, deadline = row
                yield _head(order, priority, seq, created, deadline, size, None)
            for *of, created, deadline in self._all(f"{kind}_slices", (lane, priority, tasks)):
                found = ReadySlice(*of)
                yield _head(order, priority, found.seq, created, deadline, 0, found)

    def _lease_in_order(
        self, heads: Sequence[Head], want: Want, bytes_max: int | None, now: int
    ) -> list[Leased | LeasedSlice]:
        """What stands there, in that order. ``bytes_max``: of the payloads together, unless it is one alone."""
        leased: dict[
            int, Leased | LeasedSlice | None
        ] = {}  # by the number of the first task, in the order of the answer
        rows: list[int] = []
        room, left = want.tasks, UNBOUNDED if bytes_max is None else bytes_max
        for head in heads:
            if not room:
                break
            if head.slice is None:
                left -= head.bytes
                if left < 0 and leased:
                    break
                rows.append(head.seq)
                # Its place in the answer: all single tasks are leased by one statement below.
                leased[head.seq] = None
                room -= 1
                continue
            tasks = min(room, head.slice.stop - head.slice.seq)
            fitting, left = self._fitting_part(
                head, tasks, left, alone=not leased, is_measured=bytes_max is not None
            )
            if fitting:
                found = self._lease_part(head, fitting, want, now)
                leased[found.seq] = found
            if fitting < tasks:
                break
            room -= tasks
        leased.update((one.seq, one) for one in (self._lease_rows(rows, want, now) if rows else ()))
        return [one for one in leased.values() if one is not None]

    def _fitting_part(
        self, head: Head, tasks: int, left: int, *, alone: bool, is_measured: bool
    ) -> tuple[int, int]:
        slice = head.slice
        if slice is None or not is_measured:
            return tasks, left
        payloads = self.slices.payloads(slice.array)[slice.seq - slice.array : slice.stop - slice.array]
        sizes = map(len, payloads[: -tasks - 1 : -1] if head.from_end else payloads[:tasks])
        return fitting_bytes(sizes, left, alone=alone)

    def _lease_part(self, head: Head, tasks: int, want: Want, now: int) -> LeasedSlice:
        """So many tasks of a slice, from the end at which it begins."""
        assert head.slice is not None  # noqa: S101 - by its caller
        slice = head.slice
        if head.from_end:
            slice = slice._replace(seq=slice.stop - tasks)
            # Slices are leased from their start only.
            self.slices.cut(slice.seq, slice.stop)
        [leased] = self.slices.lease(slice, [Piece(slice.seq, slice.seq + tasks, want)], now)
        return leased

    def _lease_rows(self, seqs: Sequence[int], want: Want, now: int) -> list[Leased]:
        given = {"seqs": json.dumps(seqs), "lease": want.lease, "worker": want.worker, "now": now}
        rows: list[Any] = self._all("lease_rows", given)
        if len(rows) != len(seqs):
            raise Inconsistent(f"lease_rows: {len(rows)} of {len(seqs)} tasks were ready")
        return list(map(Leased._make, rows))


def _head(
    order: LaneOrder,
    priority: int,
    seq: int,
    created: int,
    deadline: int | None,
    size: int,
    slice: ReadySlice | None,
) -> Head:
    rank, turn = order.place(priority, seq, created, deadline)
    return Head(
        rank, seq, size, slice, turn, order.is_lifo and not (order.by_deadline and deadline is not None)
    )


def fitting_bytes(sizes: Iterable[int], left: int, *, alone: bool) -> tuple[int, int]:
    """How many payloads of these sizes fit, in order, and how many bytes are left. ``alone``: the first one does in any case."""
    fitting = 0
    for size in sizes:
        if size > left and not (alone and fitting == 0):
            break
        left -= size
        fitting += 1
    return fitting, max(left, 0)
