"""What a child reports, read and checked. Pure.

Checked by columns and not by rows, because there is a result for every task. Anything that is not a report raises
ProtocolError: the sender may be a process that the task forked, or the child's memory is damaged.
"""

from __future__ import annotations

import math
from array import array
from types import NoneType
from typing import Any, Final, NamedTuple

from ...common.domain.model import OutcomeNumber
from ...common.errors import ProtocolError

OUTCOMES: Final = frozenset(OutcomeNumber)
LEFT_FIELDS: Final = 1
SLICE_FIELDS: Final = 3
REPORT_FIELDS: Final = 6  # optional fields follow: the last progress, the content that the result refers to
_TIMES_BYTES: Final = 16  # of one job: when it started, how long it took


class JobReport(NamedTuple):
    """How one job ended."""

    ordinal: int
    outcome: int
    body: bytes | None
    started: float  # Unix seconds
    seconds: float
    after: float | None
    blobs: list[bytes] | None = None  # hashes of the content that the result refers to; uploaded already

    @property
    def jobs_count(self) -> int:
        return 1


class SliceReport(NamedTuple):
    """Results of jobs with consecutive ordinals, all of one block."""

    ordinal: int  # of the first
    bodies: list[bytes]
    started: array[float]  # Unix seconds
    seconds: array[float]

    @property
    def jobs_count(self) -> int:
        return len(self.bodies)


class LeftReport(NamedTuple):
    """A job that the child had come to when it was taken back, and that it has not begun: see child/start_page.py."""

    ordinal: int


Report = JobReport | SliceReport | LeftReport


def read_reports(entries: Any) -> list[Report]:
    """Reports of a child, in the order in which it came to the jobs; see child/report_buffer.py. Raises ProtocolError."""
    # ``type``: True is an int for isinstance, and would pass for an ordinal.
    if type(entries) is not list or not set(map(type, entries)) <= {list}:
        raise ProtocolError("its reports have an unknown form")
    reports: list[Report] = []
    others: list[JobReport] = []
    for entry in entries:
        size = len(entry)
        if size == SLICE_FIELDS:
            reports.append(_slice(*entry))
        elif REPORT_FIELDS <= size <= REPORT_FIELDS + 2:
            # Without its last progress, which the observer takes.
            report = JobReport(*entry[:REPORT_FIELDS], *entry[REPORT_FIELDS + 1 :])
            others.append(report)
            reports.append(report)
        elif size == LEFT_FIELDS and set(map(type, entry)) == {int}:
            reports.append(LeftReport(*entry))
        else:
            raise ProtocolError("its reports have an unknown form")
    if others:
        _check(others)
    return reports


def _slice(ordinal: Any, bodies: Any, times: Any) -> SliceReport:
    if not (
        type(ordinal) is int
        and type(bodies) is list
        and type(times) is bytes
        and set(map(type, bodies)) == {bytes}
        and len(times) == _TIMES_BYTES * len(bodies)
    ):
        raise ProtocolError("its reports have fields of unknown kinds")
    numbers = array("d", times)
    report = SliceReport(ordinal, bodies, numbers[::2], numbers[1::2])
    # One sum finds a NaN or an infinity anywhere among them.
    if min(report.seconds) < 0 or not math.isfinite(sum(numbers)):
        raise ProtocolError("its reports have times that cannot be")
    return report


def _check(reports: list[JobReport]) -> None:
    ordinals, outcomes, bodies, started, seconds, afters, blobs = zip(*reports, strict=True)
    if not (
        set(map(type, ordinals)) == {int} == set(map(type, outcomes))
        and OUTCOMES.issuperset(outcomes)
        and set(map(type, bodies)) <= {bytes, NoneType}
        and set(map(type, started)) == {float} == set(map(type, seconds))
        and set(map(type, afters)) <= {float, NoneType}
        and set(map(type, blobs)) <= {list, NoneType}
        and min(seconds) >= 0
        and math.isfinite(sum(seconds) + sum(started))
    ):
        raise ProtocolError("its reports have fields of unknown kinds")
