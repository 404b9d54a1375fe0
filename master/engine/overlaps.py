"""Runs of task ids with a value each; asked which of them overlap a run. Runs may overlap one another, in any number. Pure.

::

    prefix of ids ─► runs of 1 …    |10|11|    |40|
                     runs of 2 … 3      |11 12|
                     runs of 4 … 7  |9 ──── 14|           in each class sorted by where they start

A class has runs of about one length, so that those which overlap begin within that length before: what is looked at is what
is found, and about as many more. It is kept in blocks of so many places, so that one more is added to a short list, in whatever order
they come.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from typing import Final, Generic, TypeVar

from ...common.domain.id_runs import PLACE_BYTES, IdRun

V = TypeVar("V")
_Entry = tuple[
    int, int, int, V
]  # start, stop, number of the entry, value: numbers differ, so that values are never compared
_Blocks = dict[int, list[_Entry[V]]]  # by the place where it begins
BLOCK_BITS: Final = 12  # places of a block, at least


class Overlaps(Generic[V]):
    def __init__(self) -> None:
        self._by_prefix: dict[bytes, dict[int, _Blocks[V]]] = {}  # then by the bits of the length

    def __bool__(self) -> bool:
        return bool(self._by_prefix)

    def clear(self) -> None:
        self._by_prefix.clear()

    def add(self, run: IdRun, number: int, value: V) -> None:
        """``number``: of this entry; no two entries of one run have the same."""
        start, size = run.place, run.length.bit_length()
        blocks = self._by_prefix.setdefault(run.first[:-PLACE_BYTES], {}).setdefault(size, {})
        insort(blocks.setdefault(start >> _shift(size), []), (start, start + run.length, number, value))

    def forget(self, run: IdRun, number: int) -> None:
        prefix, start, size = run.first[:-PLACE_BYTES], run.place, run.length.bit_length()
        blocks = self._by_prefix[prefix][size]
        entries = blocks[start >> _shift(size)]
        at = bisect_left(entries, (start, start + run.length, number))
        if entries[at][:3] != (start, start + run.length, number):
            raise KeyError(run)
        del entries[at]
        if not entries:
            del blocks[start >> _shift(size)]
            if not blocks:
                del self._by_prefix[prefix][size]
                if not self._by_prefix[prefix]:
                    del self._by_prefix[prefix]

    def over(self, run: IdRun) -> Iterator[tuple[IdRun, int, V]]:
        """For each run with an id of this one: the ids that both have, the place of the first of them in it, its value. Nothing may be
        added or removed while it is asked for the next one."""
        prefix, start = run.first[:-PLACE_BYTES], run.place
        classes = self._by_prefix.get(prefix)
        if classes is None:
            return
        stop = start + run.length
        for size, blocks in classes.items():
            # The longest run of the class has one less than 1 << size: what begins before this ends before ``start``.
            begin, shift = max(0, start - (1 << size) + 2), _shift(size)
            numbers: Iterable[int] = range(begin >> shift, (stop - 1 >> shift) + 1)
            # A run of ten million ids over few entries: look at the blocks that there are, not at those that there could be.
            if len(blocks) < stop - begin >> shift:
                numbers = [one for one in blocks if begin >> shift <= one <= stop - 1 >> shift]
            for number in numbers:
                entries = blocks.get(number)
                if entries is None:
                    continue
                at = bisect_left(entries, (begin,))
                for first, last, _, value in entries[at : bisect_left(entries, (stop,), at)]:
                    if first == start and last == stop:  # very many may need one task
                        yield run, 0, value
                        continue
                    low, high = max(first, start), min(last, stop)
                    if low < high:
                        yield IdRun(prefix + low.to_bytes(PLACE_BYTES, "big"), high - low), low - first, value

    def has(self, run: IdRun) -> bool:
        return bool(self._by_prefix) and any(True for _ in self.over(run))


def _shift(size: int) -> int:
    return max(size, BLOCK_BITS)
