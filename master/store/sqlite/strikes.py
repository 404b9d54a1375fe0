"""The embedded store's verbs for strikes and for the lanes of single tasks: see ``interface.strikes.StrikeStore``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from ..interface.store import Inconsistent
from ..interface.strikes import LaneChange, NewLane, ReadySpan, StrikeRow
from .executor import StatementExecutor
from .slices import SqliteSlices

PRIORITY_END: Final = 1 << 32  # above all priorities
ROWS: Final = "next_level", "ready_rows_after"  # statements
SLICES: Final = "next_level_of_slices", "ready_slices_after"


class SqliteStrikes(StatementExecutor):
    slices: SqliteSlices

    def strike_rows(self) -> list[StrikeRow]:
        return [StrikeRow(*row)._replace(comparing=bool(row[-1])) for row in self._all("strikes")]

    def add_strike(
        self, condition: str, reason: str, key: str, since: int, until: int | None, *, comparing: bool = False
    ) -> int:
        return int(self._all("add_strike", (condition, reason, key, since, until, comparing))[0][0])

    def change_strike(self, row: StrikeRow) -> None:
        self._exactly(
            "change_strike", [(row.reason, row.key, row.since, row.until, row.comparing, row.number)]
        )

    def drop_strike(self, number: int) -> None:
        self._exactly("drop_strike", [(number,)])

    # lanes of single tasks

    def ready_after(
        self, route: int, after: tuple[int, int] | None, limit: int, *, in_arrays: bool
    ) -> list[ReadySpan]:
        self.settle()
        next_level, spans_after = SLICES if in_arrays else ROWS
        found: list[ReadySpan] = []
        priority, seq = after or (PRIORITY_END, 0)
        # One priority after the other: a look that compares both columns would read again what is before the place.
        while len(found) < limit:
            rows = self._all(spans_after, (route, priority, seq, limit - len(found)))
            found += (ReadySpan(*row) for row in rows)
            if len(found) < limit:
                below = self._all(next_level, (route, priority))[0][0]
                if below is None:
                    break
                priority, seq = below, 0
        return found

    def ready_over(self, runs: Sequence[tuple[int, int]]) -> list[ReadySpan]:
        self.settle()
        named = (json.dumps(runs),)
        rows = [ReadySpan(*row) for row in self._all("ready_rows_over", named)]
        slices = [ReadySpan(*row) for row in self._all("ready_slices_over", named)]
        return sorted({*rows, *slices}, key=lambda span: span.seq)

    def change_lanes(self, changes: Sequence[LaneChange]) -> None:
        rows: list[tuple[int, int, int]] = []
        slices: list[tuple[int, int, int, int]] = []
        for span, parts in changes:
            if span.in_array:
                self._cut(span, parts)
                slices += ((new.route, new.seq, new.stop, span.route) for new in parts)
            else:
                rows += ((new.route, new.seq, span.route) for new in parts)
        self._exactly("change_lane_of_row", rows)
        self._exactly("change_lane_of_slice", slices)

    def _cut(self, span: ReadySpan, parts: Sequence[NewLane]) -> None:
        """Have each part be a slice."""
        edges = sorted({span.seq, span.stop, *(edge for new in parts for edge in new[:2])})
        if len(edges) == 2:
            return
        one = self.slices.at(span.seq)
        if one is None or (one.seq, one.stop) != (span.seq, span.stop):
            raise Inconsistent("change_lanes: the slice is not as it is said to be")
        self.slices.keep(one, list(pairwise(edges)))
