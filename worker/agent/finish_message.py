"""The reports of a finish call as they travel: runs of tasks that succeeded as slices, all others as rows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...common.contract.workers import ReportRow, SliceRow, pack_seconds
from ...common.domain.id_runs import runs_of
from ...common.domain.model import OutcomeNumber


class FinishMessage(NamedTuple):
    """``row_places``, ``slice_places``: where each row, and the first row of each slice, is among the reports."""

    rows: list[ReportRow]
    blobs: list[list[Any]] | None
    slices: list[SliceRow]
    row_places: list[int]
    slice_places: list[int]

    @property
    def arguments(self) -> list[Any]:
        """Of the call."""
        if self.slices:
            return [self.rows, self.blobs, self.slices]
        return [self.rows] if self.blobs is None else [self.rows, self.blobs]

    def stale(self, answer: Sequence[Any]) -> set[int]:
        """The places of the reports that the master's answer calls stale."""
        places: set[int] = set()
        for one in answer:
            if isinstance(one, int):
                places.add(self.row_places[one])
            else:
                slice, start, stop = one
                places.update(range(self.slice_places[slice] + start, self.slice_places[slice] + stop))
        return places


def finish_message(reports: Sequence[ReportRow], blobs: Sequence[Sequence[Any]] | None) -> FinishMessage:
    """``blobs``: ``[place among the reports, [hash, …]]`` of those whose results refer to content."""
    named: dict[int, Any] = {}
    for place, hashes in blobs or ():
        named[place] = hashes
    message = FinishMessage([], [] if named else None, [], [], [])
    start = 0
    for run in runs_of([report.id for report in reports]):
        for first, stop in _alike(reports, start, start + run.length, named):
            some = reports[first:stop]
            if stop - first > 1:
                id, attempt, lease = some[0][:3]
                seconds = pack_seconds([one.seconds for one in some])
                message.slices.append(SliceRow(id, attempt, lease, [one.body for one in some], seconds))
                message.slice_places.append(first)
                continue
            if first in named and message.blobs is not None:
                message.blobs.append([len(message.rows), named[first]])
            message.rows.append(some[0])
            message.row_places.append(first)
        start += run.length
    return message


def _alike(
    reports: Sequence[ReportRow], start: int, stop: int, named: dict[int, Any]
) -> list[tuple[int, int]]:
    """Reports of tasks with consecutive ids, cut where they cannot be in one slice."""
    parts: list[tuple[int, int]] = []
    before: tuple[Any, ...] | None = None
    for place in range(start, stop):
        report = reports[place]
        succeeded = report.outcome == OutcomeNumber.SUCCESS and place not in named
        kind = (report.attempt, report.lease) if succeeded else None
        if kind is not None and kind == before:
            parts[-1] = parts[-1][0], place + 1
        else:
            parts.append((place, place + 1))
        before = kind
    return parts
