"""The ids of many tasks, as runs of consecutive ones: 24 bytes for each run, however many ids it has."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from ...common.domain.id_runs import IdRun
from ...common.domain.model import TASK_ID_BYTES


class IdRuns:
    """A sequence of ids that grows at its end. Indices are from 0 to its length, and not checked."""

    __slots__ = ("_firsts", "_length", "_next", "_starts")

    def __init__(self) -> None:
        self._firsts = bytearray()  # the first id of each run
        self._starts = array("Q")  # the index of each of these
        self._length = 0
        self._next = -1  # the id with which the last run would continue

    def __len__(self) -> int:
        return self._length

    def append(self, first: int, count: int) -> None:
        """Add ``count`` consecutive ids of one block from ``first`` on."""
        # Otherwise the last run grows, which costs nothing.
        if first != self._next:
            self._firsts += first.to_bytes(TASK_ID_BYTES, "big")
            self._starts.append(self._length)
        self._next = first + count
        self._length += count

    def number(self, index: int) -> int:
        """The id at an index, as a number."""
        run = bisect_right(self._starts, index) - 1
        return self._first(run) + index - self._starts[run]

    def id(self, index: int) -> bytes:
        return self.number(index).to_bytes(TASK_ID_BYTES, "big")

    def between(self, start: int, stop: int) -> list[IdRun]:
        """The ids from ``start`` to ``stop``, or to the end."""
        return [
            IdRun(first.to_bytes(TASK_ID_BYTES, "big"), count) for first, count in self._runs(start, stop)
        ]

    def runs(self) -> Iterator[IdRun]:
        """All of them."""
        for first, count in self._runs(0, self._length):
            yield IdRun(first.to_bytes(TASK_ID_BYTES, "big"), count)

    def chosen(self, indices: range) -> IdRuns:
        """The ids at these indices."""
        chosen = IdRuns()
        # A slice of neighbours stays as compact as its whole.
        if indices.step == 1:
            for first, count in self._runs(indices.start, indices.stop):
                chosen.append(first, count)
        else:
            for index in indices:
                chosen.append(self.number(index), 1)
        return chosen

    def _runs(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The runs between two indices, cut there: the first id of each, and how many."""
        runs: list[tuple[int, int]] = []
        stop = min(stop, self._length)
        run = bisect_right(self._starts, start) - 1
        while start < stop:
            ends = self._starts[run + 1] if run + 1 < len(self._starts) else self._length
            count = min(ends, stop) - start
            runs.append((self._first(run) + start - self._starts[run], count))
            start += count
            run += 1
        return runs

    def _first(self, run: int) -> int:
        return int.from_bytes(self._firsts[run * TASK_ID_BYTES : (run + 1) * TASK_ID_BYTES], "big")
