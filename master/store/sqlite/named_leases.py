"""The embedded store's lease of named tasks: by their ids, or those that it does not find by their lane: see ``lease_these`` and
``NamedTasks`` in ``interface.tasks``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from ....common.domain.id_runs import IdRun
from ..interface.slices import LeasedSlice
from ..interface.store import Inconsistent
from ..interface.tasks import Leased, NamedTasks, Want
from .executor import StatementExecutor
from .slice_table import READY, ReadySlice, Slice, SliceTable
from .slices import SqliteSlices

Runs = list[tuple[int, int]]  # neighbours: from which number to which


class Head(NamedTuple):
    """A ready task, or a ready slice, that may be leased next."""

    rank: int  # what has the lower one goes first
    seq: int
    bytes: int  # of the payload of a task
    slice: ReadySlice | None
    turn: int | None = None  # in place of ``seq``, of a lane with an order of its own
    from_end: bool = False  # of a slice the last tasks go first


class SqliteNamedLeases(StatementExecutor):
    """Part of ``SqliteTasks``."""

    slices: SqliteSlices

    def lease_these(
        self, runs: Sequence[IdRun], want: Want, bytes_max: int, now: int
    ) -> list[Leased | LeasedSlice]:
        self.settle()
        heads: list[Head] = []
        for run in runs:
            rows = self._all("ready_between", (*run.ends(), want.tasks))
            heads += (Head(-priority, seq, size, None) for priority, seq, size in rows)
            # Sizes inside slices are looked at later, only of those that are next.
            heads += (Head(-one.priority, one.seq, 0, one) for one in self._in_slices(run))
        return self._lease_measured(sorted(heads, key=place_of), want, bytes_max, now)

    def _lease_measured(
        self, heads: Iterable[Head], want: Want, bytes_max: int, now: int
    ) -> list[Leased | LeasedSlice]:
        raise NotImplementedError

    def _lease_named(
        self, named: Sequence[NamedTasks], want: Want, now: int
    ) -> Iterator[Leased | LeasedSlice]:
        """The first of these, when nothing else is to be compared with them, whatever their lanes are: as neighbours, in order."""
        left = want.tasks
        for priority in sorted({one.priority for one in named}, reverse=True):
            seqs = merged(one for one in named if one.priority == priority)[:left]
            left -= len(seqs)
            of_slice, rows = self.slices.of_runs(neighbours(seqs))
            leased: list[Leased | LeasedSlice] = []
            for one, runs in of_slice:
                check_ready(one)
                leased += self.slices.lease_runs(one, runs, want, now)
            if rows:
                leased += self._lease_rows(rows, want, now)
                leased.sort(key=lambda one: one.seq)
            yield from leased

    def _lease_rows(self, seqs: Sequence[int], want: Want, now: int) -> list[Leased]:
        raise NotImplementedError

    def _in_slices(self, run: IdRun) -> Iterator[ReadySlice]:
        """What is ready of these tasks in arrays, as slices: one that has others, too, is cut before them."""
        first, last = run.ends()
        low, high = int.from_bytes(first, "big"), int.from_bytes(last, "big")
        for number, stop, id in self._all("arrays_upto_id", {"first": first, "last": last}):
            behind = int.from_bytes(id, "big") - number  # what an id and its task's number differ by
            start, end = max(number, low - behind), min(stop, high + 1 - behind)
            for row in self._all("ready_slices_between", {"seq": start, "stop": end}) if start < end else ():
                found = ReadySlice(*row)
                one = self.slices.at(found.seq) if found.seq < start else None
                if one is not None:
                    # A lease takes the front of a slice: what comes before these has to be another one.
                    self.slices.split(one, start)
                yield found._replace(seq=max(found.seq, start), stop=min(found.stop, end))


def merged(named: Iterable[NamedTasks]) -> Sequence[int]:
    """The numbers of all, in order."""
    some = [one.seqs for one in named if one.seqs]
    # Mostly all of an array's tasks are next, whatever lanes they are of: those are not sorted.
    first, last = min(seqs[0] for seqs in some), max(seqs[-1] for seqs in some)
    if last - first == sum(map(len, some)) - 1:
        return range(first, last + 1)
    return sorted(chain.from_iterable(some))


def neighbours(seqs: Sequence[int]) -> Runs:
    """Numbers in order, as runs."""
    # Mostly all of an array's tasks are next, whatever lanes they are of: no look at each of them.
    if seqs and seqs[-1] - seqs[0] == len(seqs) - 1:
        return [(seqs[0], seqs[-1] + 1)]
    runs: Runs = []
    for seq in seqs:
        if runs and runs[-1][1] == seq:
            runs[-1] = runs[-1][0], seq + 1
        else:
            runs.append((seq, seq + 1))
    return runs


def check_ready(one: Slice) -> None:
    # The caller's picture and the store differ: leasing it would start a task twice.
    if one.state != READY:
        raise Inconsistent("lease: a task that is to be leased is not ready")


def place_of(head: Head) -> tuple[int, int]:
    return head.rank, head.seq if head.turn is None else head.turn


class NamedHeads:
    """Of one lease."""

    def __init__(self, slices: SliceTable, named: Sequence[NamedTasks]) -> None:
        self._found = slices.around(list(merged(named))) if named else []
        self._starts = [one.seq for one in self._found]
        self.of_lane: dict[int, list[Head]] = {}
        for lane, priority, seqs in named:
            heads = self.of_lane.setdefault(lane, [])
            for seq in seqs:
                one = self._slice_of(seq)
                if one is not None:
                    check_ready(one)
                part = None if one is None else ReadySlice(priority, seq, seq + 1, one.array)
                size = slices.payload_size(seq) if one is None else 0
                heads.append(Head(-priority, seq, size, part))

    def _slice_of(self, seq: int) -> Slice | None:
        """None: the task has a row of its own."""
        at = bisect_right(self._starts, seq) - 1
        return self._found[at] if at >= 0 and seq < self._found[at].stop else None

    def apart(self, heads: Iterable[Head]) -> tuple[list[Head], dict[Slice, Runs]]:
        """The other heads, and those that are named in slices: what of each slice, as neighbours."""
        others: list[Head] = []
        seqs: list[int] = []
        for head in heads:
            if head.slice is not None and self._slice_of(head.seq) is not None:
                seqs.append(head.seq)
            else:
                others.append(head)
        of_slice: dict[Slice, list[int]] = {}
        for seq in sorted(seqs):
            if (one := self._slice_of(seq)) is not None:
                of_slice.setdefault(one, []).append(seq)
        return others, {one: neighbours(some) for one, some in of_slice.items()}
