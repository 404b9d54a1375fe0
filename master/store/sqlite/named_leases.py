"""The embedded store's lease of named tasks: by their ids, or those that it does not find by their lane: see ``lease_these`` and
``NamedTask`` in ``interface.tasks``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ....common.domain.id_runs import IdRun
from ..interface.slices import LeasedSlice
from ..interface.store import Inconsistent
from ..interface.tasks import Leased, NamedTask, Want
from .executor import StatementExecutor
from .slice_table import READY, ReadySlice, Slice, SliceTable
from .slices import SqliteSlices


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


def place_of(head: Head) -> tuple[int, int]:
    return head.rank, head.seq if head.turn is None else head.turn


Runs = list[tuple[int, int]]  # neighbours: from which number to which


class NamedHeads:
    """Of one lease."""

    def __init__(self, slices: SliceTable, named: Sequence[NamedTask]) -> None:
        self._found = slices.around(sorted(task.seq for task in named)) if named else []
        self._starts = [one.seq for one in self._found]
        self.of_lane: dict[int, list[Head]] = {}
        for lane, priority, seq in named:
            one = self._slice_of(seq)
            # The caller's picture and the store differ: leasing it would start a task twice.
            if one is not None and one.state != READY:
                raise Inconsistent("lease: a task that is to be leased is not ready")
            part = None if one is None else ReadySlice(priority, seq, seq + 1, one.array)
            size = slices.payload_size(seq) if one is None else 0
            self.of_lane.setdefault(lane, []).append(Head(-priority, seq, size, part))

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
        runs: dict[Slice, Runs] = {}
        for seq in sorted(seqs):
            one = self._slice_of(seq)
            if one is None:
                continue
            of = runs.setdefault(one, [])
            if of and of[-1][1] == seq:
                of[-1] = of[-1][0], seq + 1
            else:
                of.append((seq, seq + 1))
        return others, runs
