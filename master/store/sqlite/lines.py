"""The embedded store's verbs for listing arrays as wholes: see ``interface.lines.LineStore``.

A task that left its array has a row in ``tasks``, and its number and its id are among those of the array: rows are looked for
between the arrays only.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from ....common.domain.ids import id_behind
from ..interface.lines import LinePart, Span, StateTotals
from ..interface.queries import WindowRow
from .executor import StatementExecutor

FIRST_PAGE: Final = 4  # arrays or rows: who looks for neighbours needs one or two
PAGE: Final = 100
IDS_END: Final = 1 << 128


class SqliteLines(StatementExecutor):
    def parts_before(self, seq: int) -> Iterator[LinePart]:
        self.settle()
        # Arrays and rows are merged by hand: the gaps between arrays are the only places with rows of single tasks.
        upper = seq
        for array in self._pages(lambda upto, size: self._all("arrays_before", (upto, size)), seq, _seq):
            yield from self._rows_before(array.stop, upper)
            yield array
            upper = array.seq
        yield from self._rows_before(0, upper)

    def _rows_before(self, lower: int, upper: int) -> Iterator[LinePart]:
        if lower < upper:
            yield from self._pages(
                lambda upto, size: self._all("rows_before", (lower, upto, size)), upper, _seq
            )

    def parts_down(self, id: int) -> Iterator[LinePart]:
        self.settle()
        upper = id
        for array in self._pages(lambda upto, size: self._all("arrays_down", (_id(upto), size)), id, _number):
            yield from self._rows_down(array.end, upper)
            # The page may begin in the middle of an array: its part below only.
            yield array if array.end <= upper else array._replace(stop=array.seq + upper - array.number)
            upper = array.number
        yield from self._rows_down(0, upper)

    def _rows_down(self, lower: int, upper: int) -> Iterator[LinePart]:
        if lower < upper:
            yield from self._pages(
                lambda upto, size: self._all("rows_down", (_id(lower), _id(upto), size)), upper, _number
            )

    def parts_up(self, id: int) -> Iterator[LinePart]:
        self.settle()
        lower = id
        # The array that began before this id may reach over it.
        for array in self._all("arrays_down", (_id(id), 1)):
            before = LinePart._make(array)
            if before.end > id:
                skipped = id - before.number
                yield before._replace(seq=before.seq + skipped, id=_id(id))
                lower = before.end
        for array in self._pages(lambda of, size: self._all("arrays_up", (_id(of), size)), lower, _end):
            yield from self._rows_up(lower, array.number)
            yield array
            lower = array.end
        yield from self._rows_up(lower, IDS_END)

    def _rows_up(self, lower: int, upper: int) -> Iterator[LinePart]:
        if lower < upper:
            yield from self._pages(
                lambda of, size: self._all("rows_up", (_id(of), _id(upper), size)), lower, _end
            )

    def between_arrays(self, id: int) -> tuple[int, int]:
        self.settle()
        # Without an array on a side, the gap reaches to the end of all ids.
        below = [LinePart._make(row).end for row in self._all("arrays_down", (_id(id), 1))]
        above = [LinePart._make(row).number for row in self._all("arrays_up", (_id(id), 1))]
        return (*below, 0)[0], (*above, IDS_END)[0]

    def _pages(
        self, read: Callable[[int, int], list[Any]], start: int, goes_on: Callable[[LinePart], int]
    ) -> Iterator[LinePart]:
        """All parts, a page at a time: the next one is read from where the last part says."""
        size = FIRST_PAGE
        while rows := read(start, size):
            parts = list(map(LinePart._make, rows))
            yield from parts
            # A page that is not full is the last one: spares a look that finds nothing.
            if len(rows) < size:
                return
            # By the key of the last part, not an OFFSET: that would read all pages before again.
            start, size = goes_on(parts[-1]), PAGE

    def bounds_of_flow(self, origin: int) -> tuple[int, int] | None:
        self.settle()
        [(first, last, lower, upper)] = self._all("bounds_of_flow", {"origin": origin})
        # A task that left its array has a number within it.
        stops = [*([] if last is None else [last + 1]), *([] if upper is None else [upper])]
        starts = [one for one in (first, lower) if one is not None]
        return (min(starts), max(stops)) if starts else None

    def spans_before(self, seq: int, states: Collection[int] = ()) -> Iterator[Span]:
        self.settle()
        # The states without success have indexes of their own; without one, all spans are walked.
        if states:
            each = [
                self._spans_of(name, state, seq)
                for state in states
                for name in ("unsuccessful_alone", "unsuccessful_together")
            ]
            return heapq.merge(*each, key=lambda span: -span.seq)
        alone = _spans(lambda upto, size: self._all("spans_alone", (upto, size)), seq)
        together = _spans(lambda upto, size: self._all("spans_together", (upto, size)), seq)
        return heapq.merge(alone, together, key=lambda span: -span.seq)

    def _spans_of(self, name: str, state: int, seq: int) -> Iterator[Span]:
        return _spans(lambda upto, size: self._all(name, (state, upto, size)), seq)

    def totals(self, seq: int, stop: int, *, sliced: bool = True) -> StateTotals:
        self.settle()
        states, read = Counter[int](), 1
        # ``sliced`` False: the states asked for are only those of rows.
        for name in ("total_slices", "total_rows") if sliced else ("total_rows",):
            for state, tasks, rows in self._all(name, (seq, stop)):
                states[state] += tasks
                read += rows
        return StateTotals(states, read)

    def newest_failed(self, seq: int, stop: int) -> Iterator[WindowRow]:
        self.settle()
        size = FIRST_PAGE
        while rows := self._all("failed_between", (seq, stop, size)):
            yield from map(WindowRow._make, rows)
            if len(rows) < size:
                return
            stop, size = rows[-1][0], PAGE


def _spans(read: Callable[[int, int], list[Any]], seq: int) -> Iterator[Span]:
    size = FIRST_PAGE
    while rows := read(seq, size):
        for first, stop, id, behind, *shared in rows:
            # A slice may reach over the place where the listing goes on.
            yield Span(first, min(stop, seq), id_behind(id, behind), *shared)
        if len(rows) < size:
            return
        seq, size = rows[-1][0], PAGE


def _seq(part: LinePart) -> int:
    return part.seq


def _number(part: LinePart) -> int:
    return part.number


def _end(part: LinePart) -> int:
    return part.end


def _id(number: int) -> bytes:
    """As it stands in the store. What is behind all ids stands behind them: it is longer."""
    return b"\xff" * 17 if number >= IDS_END else number.to_bytes(16, "big")
