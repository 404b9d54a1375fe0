"""Reported successes of tasks that are leased in slices: each run of neighbours is stored as one slice. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...common.domain.id_runs import PLACE_BYTES
from ..store.interface.slices import SucceededSlice
from .leases import LeasedTasks, SliceLease
from .reports import ReportedSlice


class LeasedPart(NamedTuple):
    """Tasks of a reported run, from ``start`` to ``stop``. ``slice``: that they were leased in, under the attempt and lease
    of the report; None: they are in no such slice."""

    start: int
    stop: int
    slice: SliceLease | None
    seq: int = 0


def leased_parts(running: LeasedTasks, reported: ReportedSlice) -> Iterator[LeasedPart]:
    """A reported run, cut where its tasks are leased otherwise. The leases of a part may be ended before the next one is
    taken."""
    run, at = reported.run, 0
    prefix, place = run.first[:-PLACE_BYTES], run.place
    while at < run.length:
        found = running.place(prefix + (place + at).to_bytes(PLACE_BYTES, "big"))
        if found is None:
            yield LeasedPart(at, at + 1, None)
            at += 1
            continue
        slice, seq = found
        stop = min(run.length, at + slice.stop - seq)
        is_mine = slice.attempt == reported.attempt and slice.lease == reported.lease
        yield LeasedPart(at, stop, slice if is_mine else None, seq)
        at = stop


class SucceededRuns:
    """The successes of one call of a worker."""

    def __init__(self, running: LeasedTasks, moment: int) -> None:
        self._running, self._moment = running, moment
        self._whose = 0, b""  # attempt and lease of the run that may be continued
        self._leased = 0, 0  # the slice that it is leased in: from and to
        self._start = self._stop = 0
        self._seconds: list[float] = []
        self._results: list[bytes | None] = []
        self._ended: list[SucceededSlice] = []

    def add(
        self, slice: SliceLease, seq: int, results: Sequence[bytes | None], seconds: Sequence[float]
    ) -> None:
        """Tasks of a leased slice, from this one on, have ended."""
        # What is left behind the tasks of a run is a slice of its own in memory, and still one with them in the store.
        is_next = seq == self._stop and slice.stop <= self._leased[1]
        if not (is_next and self._whose == (slice.attempt, slice.lease)):
            self._end_run()
            self._whose, self._leased = (slice.attempt, slice.lease), (slice.seq, slice.stop)
            self._start = seq
        self._seconds += seconds
        self._results += results
        self._stop = seq + len(results)
        self._running.let(slice, seq, len(results))

    def rows(self) -> list[SucceededSlice]:
        """One for each run."""
        self._end_run()
        return self._ended

    def _end_run(self) -> None:
        if self._results:
            run = self._start, self._stop, *self._whose, self._moment
            self._ended.append(SucceededSlice(*run, self._seconds, self._results, self._leased))
            self._seconds, self._results = [], []
