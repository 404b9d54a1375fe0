"""The store's verbs for listing arrays as wholes: what was accepted together, without opening it. Part of ``interface.Store``;
the same rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple, Protocol

from ....common.domain.ids import id_behind
from .queries import WindowRow


class LinePart(NamedTuple):
    """An array, or a task that was accepted by itself."""

    seq: int
    stop: int  # behind the last task
    id: bytes  # of the first task
    created: int
    route: int
    state: int  # of a task; of an array −1
    options: bytes | None = None
    origin: int | None = None
    worker: int | None = None  # that has or had a task last; None of an array

    @property
    def is_array(self) -> bool:
        return self.state < 0

    @property
    def tasks(self) -> int:
        return self.stop - self.seq

    @property
    def flow(self) -> int | None:
        """The number of its flow, if it is of one."""
        return None if self.origin is None or self.origin >= 0 else -self.origin

    @property
    def number(self) -> int:
        """The first id, as a number."""
        return int.from_bytes(self.id, "big")

    @property
    def end(self) -> int:
        """The id behind the last one, as a number."""
        return self.number + self.tasks


class Span(NamedTuple):
    """Neighbours of an array to which the same has happened, or one task that has a row of its own."""

    seq: int
    stop: int  # behind the last one
    id: bytes  # of the first one; the i-th has this plus i
    route: int
    state: int
    created: int
    origin: int | None = None
    options: bytes | None = None
    worker: int | None = None  # that has them, or had them last

    @property
    def tasks(self) -> int:
        return self.stop - self.seq

    def rows(self) -> Iterator[WindowRow]:
        """Each task, newest first."""
        for seq in range(self.stop - 1, self.seq - 1, -1):
            yield WindowRow(seq, id_behind(self.id, seq - self.seq), self.route, self.state, self.created)

    def between(self, seq: int, stop: int) -> Span:
        """The part of it between two numbers; it may be empty."""
        start, end = max(seq, self.seq), min(stop, self.stop)
        if start >= end:
            return self._replace(stop=self.seq)
        return self._replace(seq=start, stop=end, id=id_behind(self.id, start - self.seq))


class StateTotals(NamedTuple):
    states: Counter[int]
    rows: int  # were read for it


class LineStore(Protocol):
    # iterators read as they are taken, in pages
    def parts_before(self, seq: int) -> Iterator[LinePart]:
        """Arrays and tasks of those before that number, newest first."""

    def parts_down(self, id: int) -> Iterator[LinePart]:
        """Those with ids below this one, from the highest down; of an array that goes beyond it the part below."""

    def parts_up(self, id: int) -> Iterator[LinePart]:
        """Those with this id and higher ones, from the lowest up; of an array that begins below it the rest."""

    def between_arrays(self, id: int) -> tuple[int, int]:
        """Where the last array that begins below this id ends, and where the first one from it on begins: in ids."""

    def bounds_of_flow(self, origin: int) -> tuple[int, int] | None:
        """Between which numbers the tasks of a flow are that are kept, by their origin: that of the first one, and behind the last
        one. None: none is kept."""

    def spans_before(self, seq: int, states: Collection[int] = ()) -> Iterator[Span]:
        """All tasks before that number, newest first, as neighbours to which the same has happened. ``states``: only those in one
        of them, of states of tasks that ended without success; then no other task is looked at."""

    def totals(self, seq: int, stop: int, *, sliced: bool = True) -> StateTotals:
        """How many of these tasks are in each state. ``sliced``: also those that are still in their array."""

    def newest_failed(self, seq: int, stop: int) -> Iterator[WindowRow]:
        """Those of these tasks that failed for good, newest first."""
