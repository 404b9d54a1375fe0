"""Joins the reported successes of neighbours in an array, so that each run of them is stored as one slice. Pure."""

from __future__ import annotations

from ..store.interface.slices import SucceededSlice
from .leases import LeasedTasks, SliceLease


class SucceededRuns:
    """The successes of one call of a worker."""

    def __init__(self, running: LeasedTasks, moment: int) -> None:
        self._running, self._moment = running, moment
        self._slice: SliceLease | None = None  # of the run that may be continued
        self._start = self._stop = 0
        self._next = b""  # the id that continues it
        self._seconds: list[float] = []
        self._results: list[bytes | None] = []
        self._ended: list[SucceededSlice] = []

    def add(
        self, id: bytes, attempt: int, lease: bytes, result: bytes | None, seconds: float
    ) -> SliceLease | None:
        """End a task if it is leased in a slice, under this attempt and lease; returns the slice."""
        slice = self._slice
        if slice is None or id != self._next or not slice.holds(self._stop):
            place = self._running.place(id)
            if place is None:
                return None
            slice, seq = place
        else:
            seq = self._stop
        if slice.attempt != attempt or slice.lease != lease:
            return None
        if slice is not self._slice or seq != self._stop:
            self._end_run()
            self._slice, self._start = slice, seq
        self._seconds.append(seconds)
        self._results.append(result)
        self._stop = seq + 1
        self._next = slice.id(seq + 1)
        self._running.let(slice, seq)
        return slice

    def rows(self) -> list[SucceededSlice]:
        """One for each run."""
        self._end_run()
        return self._ended

    def _end_run(self) -> None:
        slice, self._slice = self._slice, None
        if slice is not None:
            run = self._start, self._stop, slice.attempt, slice.lease, self._moment
            self._ended.append(SucceededSlice(*run, self._seconds, self._results))
            self._seconds, self._results = [], []
