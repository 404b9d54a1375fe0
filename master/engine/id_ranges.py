"""A mapping from task ids to values that keeps ranges of consecutive ids as one entry each. Pure.

::

    block of ids ─► starts  |10       |25   |40
                    stops   |25       |30   |60      none overlap; neighbours with equal values are one range
                    values  |a        |a b  |a

To put a range among others moves all behind it. So the ids are kept by blocks of a few thousand places, in which this is short
however a caller chooses them; a range ends where its block does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar, cast

from ...common.domain.id_runs import IdRun
from ...common.domain.model import TASK_ID_BYTES

V = TypeVar("V")

BLOCK_BITS: Final = 12  # places of a block: 2,048 ranges at most that are no neighbours
BLOCK_IDS: Final = 1 << BLOCK_BITS
_PLACE_MASK: Final = BLOCK_IDS - 1


class _Ranges(Generic[V]):
    """The ranges of ids of one block, by their places in it."""

    __slots__ = ("starts", "stops", "values")

    def __init__(self, starts: list[int], stops: list[int], values: list[V]) -> None:
        self.starts, self.stops, self.values = starts, stops, values

    def cut(self, at: int) -> int:
        """Have no range reach across this place; the index of the first one that begins there or behind it."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        if self.starts[index] == at:
            return index
        if self.stops[index] > at:
            self.starts.insert(index + 1, at)
            # Inserted in front: what was one range ends here, and goes on behind it.
            self.stops.insert(index, at)
            self.values.insert(index, _copy(self.values[index]))
        return index + 1

    def put(self, first: int, last: int, pieces: list[tuple[int, int, V]]) -> None:
        """Have these pieces in place of the ranges from index ``first`` to ``last``, and join neighbours with the same
        value."""
        before, behind = max(0, first - 1), min(len(self.starts), last + 1)
        around = [
            *self._range(before, first),
            *pieces,
            *self._range(last, behind),
        ]
        joined: list[tuple[int, int, V]] = []
        for start, stop, value in around:
            # By identity: a dict of watchers may grow at one range alone, though both are equal now.
            if joined and joined[-1][1] == start and joined[-1][2] is value:
                joined[-1] = joined[-1][0], stop, value
            else:
                joined.append((start, stop, value))
        self.starts[before:behind] = [one[0] for one in joined]
        self.stops[before:behind] = [one[1] for one in joined]
        self.values[before:behind] = [one[2] for one in joined]

    def _range(self, first: int, last: int) -> Iterator[tuple[int, int, V]]:
        return zip(self.starts[first:last], self.stops[first:last], self.values[first:last], strict=True)

    def index(self, start: int, stop: int) -> int:
        """Of the range from ``start`` to ``stop``; -1: none begins and ends there."""
        index = bisect_left(self.starts, start)
        is_there = index < len(self.starts) and (self.starts[index], self.stops[index]) == (start, stop)
        return index if is_there else -1

    def drop(self, index: int) -> V:
        """One range; its value. Its neighbours do not meet by that."""
        del self.starts[index], self.stops[index]
        return self.values.pop(index)

    def between(self, start: int, stop: int) -> tuple[int, int, list[tuple[int, int, V]]]:
        """Cut the ranges at both places; the indices and the pieces between them."""
        first = self.cut(start)
        last = bisect_left(self.starts, stop, first)
        # Only if one reaches across: a cut at the end of the last range would move what is behind it for nothing.
        if last > first and self.stops[last - 1] > stop:
            last = self.cut(stop)
        return first, last, list(self._range(first, last))


def _copy(value: V) -> V:
    # Both parts of a range are changed by themselves from now on.
    return cast(V, value.copy()) if isinstance(value, dict) else value


class IdRanges(Generic[V]):
    """``len``: how many ids have a value."""

    def __init__(self) -> None:
        self._blocks: dict[int, _Ranges[V]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def blocks(self) -> int:
        """In how many blocks they are: each takes some hundred bytes, whatever is in it."""
        return len(self._blocks)

    def __contains__(self, id: bytes) -> bool:
        number = int.from_bytes(id, "big")
        ranges = self._blocks.get(number >> BLOCK_BITS)
        if ranges is None:
            return False
        place = number & _PLACE_MASK
        index = bisect_right(ranges.starts, place) - 1
        return index >= 0 and place < ranges.stops[index]

    def runs(self) -> Iterator[tuple[IdRun, V]]:
        """All of them."""
        for block, ranges in self._blocks.items():
            for start, stop, value in zip(ranges.starts, ranges.stops, ranges.values, strict=True):
                yield _run(block, start, stop), value

    def take(self, run: IdRun) -> list[tuple[IdRun, V]]:
        """Remove the ids of a run; those that had a value, and the value."""
        taken: list[tuple[IdRun, V]] = []
        for block, start, stop in _by_block(run):
            ranges = self._blocks.get(block)
            if ranges is None:
                continue
            index = ranges.index(start, stop)
            if index >= 0:  # as a rule
                pieces = [(start, stop, ranges.drop(index))]
            else:
                first, last, pieces = ranges.between(start, stop)
                if pieces:
                    ranges.put(first, last, [])
            self._count -= sum(stop - start for start, stop, _ in pieces)
            # An empty block would be memory that is never given back.
            if not ranges.starts:
                del self._blocks[block]
            taken += [(_run(block, start, stop), value) for start, stop, value in pieces]
        return taken

    def change(self, run: IdRun, change: Callable[[V | None], V | None]) -> None:
        """Have ``change`` decide on the value of each id of a run: from what it has, or None, to what it gets, or None."""
        for block, start, stop in _by_block(run):
            ranges = self._blocks.get(block)
            if ranges is None:
                value = change(None)
                if value is not None:
                    self._blocks[block] = _Ranges([start], [stop], [value])
                    self._count += stop - start
                continue
            self._change(ranges, start, stop, change)
            if not ranges.starts:
                del self._blocks[block]

    def _change(self, ranges: _Ranges[V], at: int, end: int, change: Callable[[V | None], V | None]) -> None:
        index = ranges.index(at, end)
        if index >= 0:  # one range, as a rule; a value that is a dict is changed in its place
            held = ranges.values[index]
            value = change(held)
            if value is None:
                ranges.drop(index)
                self._count -= end - at
            elif value is not held:
                ranges.put(index, index + 1, [(at, end, value)])
            return
        first, last, pieces = ranges.between(at, end)
        changed: list[tuple[int, int, V]] = []

        def add(start: int, stop: int, value: V | None) -> None:
            if value is not None:
                changed.append((start, stop, value))
                self._count += stop - start

        for start, stop, value in pieces:
            if at < start:
                add(at, start, change(None))
            add(start, stop, change(value))
            self._count -= stop - start
            at = stop
        if at < end:
            add(at, end, change(None))
        ranges.put(first, last, changed)


def blocks_of(run: IdRun) -> int:
    """In how many blocks the ids of a run are."""
    place = run.place & _PLACE_MASK
    return (place + run.length - 1 >> BLOCK_BITS) + 1


def _by_block(run: IdRun) -> Iterator[tuple[int, int, int]]:
    """Block, first place and the one behind the last, of each part of a run."""
    start = int.from_bytes(run.first, "big")
    block, place, left = start >> BLOCK_BITS, start & _PLACE_MASK, run.length
    while left > 0:
        stop = min(BLOCK_IDS, place + left)
        yield block, place, stop
        left -= stop - place
        block, place = block + 1, 0


def _run(block: int, start: int, stop: int) -> IdRun:
    return IdRun(((block << BLOCK_BITS) + start).to_bytes(TASK_ID_BYTES, "big"), stop - start)
