"""What a lane has in mixed arrays (see mixed.py): which of their tasks are ready, and how many run. Pure.

A number takes eight bytes, whatever else there is: with two million tasks that wait in ten thousand lanes that is what they cost.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

NONE: Final[array[int]] = array("q")
SPARE: Final = 64  # numbers at the start that were taken out, before the others move up


class ReadyPlace(NamedTuple):
    """What has the lower one goes first."""

    rank: int  # below zero: the priority
    seq: int


class _Numbers:
    """A set of numbers in order. Mostly the last ones are added and the first ones are taken out. Neighbours come and go in one step, which
    moves the numbers before them or those behind them, whichever are fewer."""

    __slots__ = ("_numbers", "_start")

    def __init__(self) -> None:
        self._numbers, self._start = array("q"), 0

    def __len__(self) -> int:
        return len(self._numbers) - self._start

    def add(self, seqs: array[int]) -> None:
        """In order; none of them is there."""
        at = bisect_left(self._numbers, seqs[0], self._start)
        if at < len(self._numbers) and self._numbers[at] < seqs[-1]:  # others stand between them
            for seq in seqs:
                self._insert(bisect_left(self._numbers, seq, self._start), array("q", (seq,)))
        else:
            self._insert(at, seqs)

    def _insert(self, at: int, seqs: array[int]) -> None:
        numbers, start, count = self._numbers, self._start, len(seqs)
        if count <= start and at - start < len(numbers) - at:
            numbers[start - count : at] = numbers[start:at] + seqs
            self._start -= count
        else:
            numbers[at:at] = seqs

    def discard(self, seqs: array[int]) -> int:
        """In order; how many of them were there."""
        at = bisect_left(self._numbers, seqs[0], self._start)
        stop = at + len(seqs)
        if self._numbers[at:stop] == seqs:
            self._cut(at, stop)
            return len(seqs)
        if len(seqs) == 1:
            return 0
        return sum(self.discard(array("q", (seq,))) for seq in seqs)

    def _cut(self, at: int, stop: int) -> None:
        numbers, start, count = self._numbers, self._start, stop - at
        if at - start > len(numbers) - stop:
            del numbers[at:stop]
            return
        if at > start:
            numbers[start + count : stop] = numbers[start:at]
        # Deleting the first of an array moves all others: done seldom, for many at once.
        self._start += count
        if self._start > SPARE and self._start * 2 > len(numbers):
            del numbers[: self._start]
            self._start = 0

    def first(self, most: int) -> array[int]:
        return self._numbers[self._start : self._start + most]


class LaneShare:
    __slots__ = ("_of_rank", "arrays", "ready", "running")

    def __init__(self) -> None:
        self._of_rank: dict[int, _Numbers] = {}
        self.arrays = 0  # that have a task of the lane, and a task that has not ended
        self.ready = self.running = 0  # tasks

    def add(self, rank: int, seqs: array[int]) -> None:
        """They became ready; in order."""
        numbers = self._of_rank.get(rank)
        if numbers is None:
            numbers = self._of_rank[rank] = _Numbers()
        numbers.add(seqs)
        self.ready += len(seqs)

    def discard(self, rank: int, seqs: array[int]) -> None:
        """They are ready no longer; in order."""
        numbers = self._of_rank[rank]
        self.ready -= numbers.discard(seqs)
        if not numbers:
            del self._of_rank[rank]

    @property
    def ranks(self) -> Collection[int]:
        return self._of_rank.keys()

    def first_of(self, rank: int, most: int) -> array[int]:
        """The first ones of this rank, in order."""
        numbers = self._of_rank.get(rank)
        return NONE if numbers is None else numbers.first(most)

    def first(self, most: int = 1) -> Iterator[ReadyPlace]:
        """The first ones, in order."""
        for rank in sorted(self._of_rank):
            for seq in self._of_rank[rank].first(most):
                yield ReadyPlace(rank, seq)
                most -= 1
            if not most:
                return


class OfLane(NamedTuple):
    """Ready tasks of one priority. ``lane``: its place among those that were asked for."""

    lane: int
    rank: int
    seqs: array[int]


def first_tasks(lanes: Sequence[tuple[LaneShare, int]], want: int, last_rank: int | None) -> Iterator[OfLane]:
    """The first so many tasks of all these lanes together, of each at most as many as stands beside it. ``last_rank``: none of a higher
    one."""
    rooms = [room for _, room in lanes]
    for rank in sorted({rank for share, _ in lanes for rank in share.ranks}):
        if not want or (last_rank is not None and rank > last_rank):
            return
        having = [place for place, (share, _) in enumerate(lanes) if rooms[place] and rank in share.ranks]
        for place, seqs in _first_of_rank({place: lanes[place][0] for place in having}, rank, rooms, want):
            rooms[place] -= len(seqs)
            want -= len(seqs)
            yield OfLane(place, rank, seqs)


def _first_of_rank(
    shares: Mapping[int, LaneShare], rank: int, rooms: Sequence[int], want: int
) -> Iterator[tuple[int, array[int]]]:
    """Without a look at every task: some of each lane are merged, and of a lane all of which go first there are looked at more."""
    if not shares:
        return
    some = -(-2 * want // len(shares))
    taken = {place: share.first_of(rank, min(some, rooms[place])) for place, share in shares.items()}
    while True:
        merged = sorted(chain.from_iterable(taken.values()))
        last = merged[min(want, len(merged)) - 1]
        more = False
        for place, seqs in taken.items():
            if seqs[-1] <= last and len(seqs) < min(want, rooms[place]):
                taken[place] = shares[place].first_of(rank, min(2 * len(seqs), rooms[place]))
                more |= len(taken[place]) > len(seqs)
        if not more:
            break
    for place, seqs in taken.items():
        if upto := bisect_right(seqs, last):
            yield place, seqs[:upto]
