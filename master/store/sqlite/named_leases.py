"""The embedded store's lease of named tasks: see ``interface.tasks.TaskStore.lease_these``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ....common.domain.id_runs import IdRun
from ..interface.slices import LeasedSlice
from ..interface.tasks import Leased, Want
from .executor import StatementExecutor
from .slice_table import ReadySlice
from .slices import SqliteSlices


class Head(NamedTuple):
    """A ready task, or a ready slice, that may be leased next."""

    rank: int  # what has the lower one goes first
    seq: int
    bytes: int  # of the payload of a task
    slice: ReadySlice | None


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
            heads += (Head(-one.priority, one.seq, 0, one) for one in self._in_slices(run))
        return self._lease_measured(sorted(heads, key=place_of), want, bytes_max, now)

    def _lease_measured(
        self, heads: list[Head], want: Want, bytes_max: int, now: int
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
                    self.slices.split(one, start)
                yield found._replace(seq=max(found.seq, start), stop=min(found.stop, end))


def place_of(head: Head) -> tuple[int, int]:
    return head.rank, head.seq
