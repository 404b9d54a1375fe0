"""How tasks in ready slices are leased: each part that is leased becomes a slice of its own, and so does what stays ready between two of
them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ....common.domain.ids import id_behind
from ..interface.slices import LeasedSlice
from ..interface.store import Inconsistent
from ..interface.tasks import Want
from .slice_table import ReadySlice, Slice, SliceTable


class Piece(NamedTuple):
    """Neighbours of a ready slice that one call gets."""

    seq: int
    stop: int
    want: Want


class SliceLeases(SliceTable):
    def lease(self, head: ReadySlice, pieces: Sequence[Piece], now: int) -> list[LeasedSlice]:
        """Lease the first tasks of a ready slice in pieces, which follow one another."""
        end = pieces[-1].stop
        self._all("split_slice", {"seq": head.seq, "at": end})
        rows = [
            {
                "head": head.seq,
                "seq": start,
                "stop": stop,
                "lease": want.lease,
                "worker": want.worker,
                "now": now,
            }
            for start, stop, want in pieces
        ]
        # Before the first piece: they are copied from its row while that is ready and still reaches to the end of all.
        self._exactly("lease_piece", rows[1:])
        leased = self._all("lease_slice", rows[0])
        if not leased:
            raise Inconsistent("lease_slice: the slice is not ready")
        [(route, attempt, returned)] = leased
        runs = [(start, stop) for start, stop, _ in pieces]
        return self._leased(head.array, runs, head.priority, route, attempt, returned)

    def lease_runs(
        self, one: Slice, runs: Sequence[tuple[int, int]], want: Want, now: int
    ) -> list[LeasedSlice]:
        """Lease some neighbours of a ready slice, in order, for one call. What is before, between and behind them stays ready, as slices."""
        edges = [one.seq, *(edge for run in runs for edge in run), one.stop]
        gaps = [gap for gap in zip(edges[::2], edges[1::2], strict=True) if gap[0] < gap[1]]
        shared = {"head": one.seq, "lease": want.lease, "worker": want.worker, "now": now}
        # New rows first, from the row of the whole, which is changed at last.
        rest = [run for run in runs if run[0] != one.seq]
        self._exactly("lease_piece", [{**shared, "seq": start, "stop": stop} for start, stop in rest])
        kept = {"seq": one.seq, "seconds": None, "results": None}
        rest = [gap for gap in gaps if gap[0] != one.seq]
        self._exactly("copy_slice", [{**kept, "start": start, "stop": stop} for start, stop in rest])
        if runs[0][0] == one.seq:  # the first ones stand in the row of the whole
            self._exactly("lease_first", [{**shared, "seq": one.seq, "stop": runs[0][1]}])
        else:
            self._exactly("shorten_slice", [{**kept, "stop": runs[0][0]}])
        return self._leased(one.array, runs, one.priority, one.route, one.attempt + 1, one.returned)

    def of_runs(
        self, runs: Sequence[tuple[int, int]]
    ) -> tuple[list[tuple[Slice, list[tuple[int, int]]]], list[int]]:
        """Runs of neighbours, in order, by the slices that they are in; and those of them that have rows of their own."""
        slices = [Slice._make(row) for row in self._all("slices_over", {"runs": json.dumps(runs)})]
        found: list[tuple[Slice, list[tuple[int, int]]]] = [(one, []) for one in slices]
        alone: list[int] = []
        place = 0
        for start, stop in runs:
            while start < stop:
                while place < len(slices) and slices[place].stop <= start:
                    place += 1
                begin = slices[place].seq if place < len(slices) else stop
                if begin > start:
                    alone += range(start, min(begin, stop))
                    start = begin
                    continue
                end = min(stop, slices[place].stop)
                found[place][1].append((start, end))
                start = end
        return [one for one in found if one[1]], alone

    def _leased(
        self,
        number: int,
        runs: Iterable[tuple[int, int]],
        priority: int,
        route: int,
        attempt: int,
        returned: int,
    ) -> list[LeasedSlice]:
        of, payloads = self.array(number), self.payloads(number)
        return [
            LeasedSlice(
                priority=priority,
                seq=start,
                stop=stop,
                id=id_behind(of.id, start - number),
                route=route,
                attempt=attempt,
                returned=returned,
                timeout=of.timeout,
                origin=of.origin,
                options=of.options,
                payloads=payloads[start - number : stop - number],
            )
            for start, stop in runs
        ]
