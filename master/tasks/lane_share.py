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
EACH_MIN: Final = 4  # tasks of each lane, on the average, from which on they are counted and not merged
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

    def discard_between(self, seq: int, stop: int) -> int:
        """Those from one number to another; how many there were."""
        at = bisect_left(self._numbers, seq, self._start)
        end = bisect_left(self._numbers, stop, at)
        if at < end:
            self._cut(at, end)
        return end - at

    def count_to(self, seq: int, most: int) -> int:
        """How many are not above this one, or ``most`` if they are more."""
        start = self._start
        return bisect_right(self._numbers, seq, start, min(start + most, len(self._numbers))) - start

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

    def ends_of_first(self, most: int) -> tuple[int, int]:
        """The first and the last one of the first so many."""
        return self._numbers[self._start], self._numbers[min(self._start + most, len(self._numbers)) - 1]


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

    def discard_between(self, rank: int, seq: int, stop: int) -> None:
        """Those from one number to another are ready no longer."""
        numbers = self._of_rank[rank]
        self.ready -= numbers.discard_between(seq, stop)
        if not numbers:
            del self._of_rank[rank]

    @property
    def ranks(self) -> Collection[int]:
        return self._of_rank.keys()

    def first_of(self, rank: int, most: int) -> array[int]:
        """The first ones of this rank, in order."""
        numbers = self._of_rank.get(rank)
        return NONE if numbers is None else numbers.first(most)

    def ends_of_first(self, rank: int, most: int) -> tuple[int, int]:
        """The first and the last one of the first so many of this rank, of which there are some."""
        return self._of_rank[rank].ends_of_first(most)

    def count_to(self, rank: int, seq: int, most: int) -> int:
        """How many of this rank are not above a number, or ``most`` if they are more."""
        return self._of_rank[rank].count_to(seq, most)

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
        if not having:
            continue
        first_of = _counted_first if want >= EACH_MIN * len(having) else _merged_first
        for place, seqs in first_of({place: lanes[place][0] for place in having}, rank, rooms, want):
            rooms[place] -= len(seqs)
            want -= len(seqs)
            yield OfLane(place, rank, seqs)


def _counted_first(
    shares: Mapping[int, LaneShare], rank: int, rooms: Sequence[int], want: int
) -> Iterator[tuple[int, array[int]]]:
    """Of few lanes: the number up to which they have so many is looked for, with no look at the tasks before it."""

    def count(upto: int) -> int:
        return sum(share.count_to(rank, upto, rooms[place]) for place, share in shares.items())

    firsts, lasts = zip(
        *(share.ends_of_first(rank, rooms[place]) for place, share in shares.items()), strict=True
    )
    last = max(lasts)
    want = min(want, count(last))
    # So many different numbers end there at the earliest: mostly all of an array's tasks are next, and they do.
    low = high = min(firsts) + want - 1
    step = want
    while count(high) < want:
        low, high, step = high + 1, min(high + step, last), 2 * step
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= want else (middle + 1, high)
    for place, share in shares.items():
        if tasks := share.count_to(rank, high, rooms[place]):
            yield place, share.first_of(rank, tasks)


def _merged_first(
    shares: Mapping[int, LaneShare], rank: int, rooms: Sequence[int], want: int
) -> Iterator[tuple[int, array[int]]]:
    """Of many lanes, without a look at every task: some of each lane are merged, and of a lane all of which go first there are looked at more."""
    # Twice an equal part of each: mostly enough, so that the loop below looks once.
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
