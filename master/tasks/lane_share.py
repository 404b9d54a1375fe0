"""What a lane has in mixed arrays (see mixed.py): which of their tasks are ready, and how many run. Pure.

A number takes eight bytes, whatever else there is: with two million tasks that wait in ten thousand lanes that is what they cost.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final, NamedTuple

SPARE: Final = 64  # numbers at the start that were taken out, before the others move up


class ReadyPlace(NamedTuple):
    """What has the lower one goes first."""

    rank: int  # below zero: the priority
    seq: int


class _Numbers:
    """A set of numbers in order. Mostly the last one is added and the first one is taken out."""

    __slots__ = ("_numbers", "_start")

    def __init__(self) -> None:
        self._numbers, self._start = array("q"), 0

    def __len__(self) -> int:
        return len(self._numbers) - self._start

    def add(self, seq: int) -> None:
        # Only a task that is ready again goes between others.
        if not self._numbers or seq > self._numbers[-1]:
            self._numbers.append(seq)
        else:
            insort(self._numbers, seq, self._start)

    def discard(self, seq: int) -> bool:
        """Whether it was there."""
        at = bisect_left(self._numbers, seq, self._start)
        if at == len(self._numbers) or self._numbers[at] != seq:
            return False
        if at > self._start:
            del self._numbers[at]
            return True
        # Deleting the first of an array moves all others: done seldom, for many at once.
        self._start += 1
        if self._start > SPARE and self._start * 2 > len(self._numbers):
            del self._numbers[: self._start]
            self._start = 0
        return True

    def first(self, most: int) -> Iterator[int]:
        return iter(self._numbers[self._start : self._start + most])


class LaneShare:
    __slots__ = ("_of_rank", "arrays", "ready", "running")

    def __init__(self) -> None:
        self._of_rank: dict[int, _Numbers] = {}
        self.arrays = 0  # that have a task of the lane, and a task that has not ended
        self.ready = self.running = 0  # tasks

    def add(self, place: ReadyPlace) -> None:
        """It became ready."""
        numbers = self._of_rank.get(place.rank)
        if numbers is None:
            numbers = self._of_rank[place.rank] = _Numbers()
        numbers.add(place.seq)
        self.ready += 1

    def discard(self, place: ReadyPlace) -> None:
        """It is ready no longer."""
        numbers = self._of_rank[place.rank]
        self.ready -= numbers.discard(place.seq)
        if not numbers:
            del self._of_rank[place.rank]

    def first(self, most: int = 1) -> Iterator[ReadyPlace]:
        """The first ones, in order."""
        for rank in sorted(self._of_rank):
            for seq in self._of_rank[rank].first(most):
                yield ReadyPlace(rank, seq)
                most -= 1
            if not most:
                return
