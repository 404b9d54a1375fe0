"""Reported successes of one transaction, grouped by the leased slice that the store has them in. Pure.

::

    leased |0 ──────────────── 999|     ended: 5–7, 12, 400–401     one group: three pieces that ended, four that stay leased
            ──  ───  ───────    ──

What ends in the midst of a leased slice leaves slices of its own in memory at once, and in the store only with its statements. So a later
part of the same call names a smaller slice than the store has, which lies within the one of its group.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from ..interface.slices import SucceededSlice


class LeasedGroup:
    """Parts of the slice from ``first`` to ``end`` that have ended."""

    __slots__ = ("end", "first", "rows")

    def __init__(self, first: int, end: int, row: SucceededSlice) -> None:
        self.first, self.end, self.rows = first, end, [row]

    def sort(self) -> None:
        self.rows.sort(key=_seq_of)

    def gaps(self) -> list[tuple[int, int]]:
        """What stays leased, before, between and behind the parts, which are sorted."""
        return gaps_between(self.first, self.end, [(row.seq, row.stop) for row in self.rows])


def groups_of(rows: Iterable[SucceededSlice]) -> list[LeasedGroup]:
    """In the order of their first parts. A part of which it is not known what it is leased in is a group by itself."""
    groups: list[LeasedGroup] = []
    by_lease: dict[tuple[int, bytes], tuple[list[int], list[LeasedGroup]]] = {}
    for row in rows:
        if row.leased is None:
            groups.append(LeasedGroup(row.seq, row.stop, row))
            continue
        firsts, mine = by_lease.setdefault((row.attempt, row.lease), ([], []))
        place = bisect_right(firsts, row.leased[0])
        if place and row.leased[1] <= mine[place - 1].end:
            mine[place - 1].rows.append(row)
            continue
        group = LeasedGroup(*row.leased, row)
        firsts.insert(place, group.first)
        mine.insert(place, group)
        groups.append(group)
    return groups


def gaps_between(first: int, end: int, parts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What is left of a slice without parts of it, which are in order."""
    gaps, at = [], first
    for start, stop in parts:
        if at < start:
            gaps.append((at, start))
        at = stop
    if at < end:
        gaps.append((at, end))
    return gaps


def _seq_of(row: SucceededSlice) -> int:
    return row.seq
