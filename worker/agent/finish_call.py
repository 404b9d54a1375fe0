"""A call of ``finish``: reports as they travel, and what the master's answer says about them. Pure.

Results of tasks with consecutive ids travel as slices, all else as rows; so does a result by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from ...common.contract.workers import ReportRow, SliceRow, pack_seconds
from .ended import Ended, EndedSlice
from .runs import Key


class FinishCall:
    """``ended``: the reports. Each attempt has a place, in their order. The length is counted in attempts."""

    def __init__(self, ended: Sequence[Ended]) -> None:
        self.ended = ended
        self._length = 0
        self._rows: list[ReportRow] = []
        self._blobs: list[list[Any]] = []  # [index of the row, [hash, …]]
        self._slices: list[SliceRow] = []
        self._row_places: list[int] = []  # of each row, and
        self._slice_places: list[int] = []  # of the first attempt of each slice
        for one in ended:
            if isinstance(one, EndedSlice) and len(one) > 1:
                seconds = pack_seconds(one.seconds)
                self._slices.append(SliceRow(one.id, one.attempt, one.lease, one.bodies, seconds))
                self._slice_places.append(self._length)
            else:
                if not isinstance(one, EndedSlice) and one.blobs:
                    self._blobs.append([len(self._rows), one.blobs])
                self._rows += one.rows()
                self._row_places.append(self._length)
            self._length += len(one)

    def __len__(self) -> int:
        return self._length

    @property
    def first(self) -> bytes:
        """The id of the first attempt's task."""
        one = self.ended[0]
        return one.id if isinstance(one, EndedSlice) else one.row.id

    @property
    def arguments(self) -> list[Any]:
        blobs = self._blobs or None
        if self._slices:
            return [self._rows, blobs, self._slices]
        return [self._rows] if blobs is None else [self._rows, blobs]

    def keys(self) -> list[Key]:
        """By place."""
        return list(chain.from_iterable(one.keys() for one in self.ended))

    def rows(self) -> list[ReportRow]:
        """A row for each attempt, by place."""
        return [row for one in self.ended for row in one.rows()]

    def stale(self, answer: Sequence[Any]) -> set[int]:
        """The places of the reports that the master's answer calls stale."""
        places: set[int] = set()
        for one in answer:
            if isinstance(one, int):
                places.add(self._row_places[one])
            else:
                slice, start, stop = one
                places.update(range(self._slice_places[slice] + start, self._slice_places[slice] + stop))
        return places
