"""Reports of a child: read as it wrote them, and refused when no child writes such."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.common.errors import ProtocolError
from tq.worker.agent.reports import JobReport, LeftReport, SliceReport, read_reports

ERROR = int(OutcomeNumber.ERROR)


def times(*pairs: tuple[float, float]) -> bytes:
    return b"".join(struct.pack("2d", *pair) for pair in pairs)


def test_slices_reports_of_one_job_and_jobs_that_were_left_are_read_in_their_order() -> None:
    entries = [
        [3, [b"a", b"b"], times((1.5, 0.25), (2.5, 0.5))],
        [5, ERROR, b"why", 3.0, 0.1, None, [1, 2, ""]],
        [6, 0, b"c", 4.0, 0.2, None, None, [b"hash"]],
        [7],
    ]
    first, error, with_content, left = read_reports(entries)
    assert isinstance(first, SliceReport)
    assert (first.ordinal, first.bodies) == (3, [b"a", b"b"])
    assert (list(first.started), list(first.seconds)) == ([1.5, 2.5], [0.25, 0.5])
    assert error == JobReport(5, ERROR, b"why", 3.0, 0.1, None)
    assert with_content == JobReport(6, 0, b"c", 4.0, 0.2, None, [b"hash"])
    assert left == LeftReport(7)
    assert read_reports([]) == []


@pytest.mark.parametrize(
    "entry",
    [
        "text",
        [],
        ["1"],
        [True],
        [1, 2],
        [1, [b"a"], b""],
        [1, [], b""],
        [1, ["a"], times((1.0, 0.1))],
        [1.0, [b"a"], times((1.0, 0.1))],
        [1, [b"a"], times((1.0, -0.1))],
        [1, [b"a"], times((math.nan, 0.1))],
        [1, [b"a"], times((1.0, math.inf))],
        [1, 99, b"a", 1.0, 0.1, None],
        [1, 0, "a", 1.0, 0.1, None],
        [1, 0, b"a", 1.0, -0.1, None],
        [1, 0, b"a", 1.0, 0.1, "soon"],
        [1, 0, b"a", 1.0, 0.1, None, None, "hash"],
        [1, 0, b"a", 1.0, 0.1, None, None, [], None],
    ],
    ids=repr,
)
def test_what_no_child_writes_is_refused(entry: Any) -> None:
    good = [9, [b"a"], times((1.0, 0.1))]
    with pytest.raises(ProtocolError):
        read_reports([good, entry])


@pytest.mark.parametrize("entries", [None, {}, "text", 5], ids=repr)
def test_what_is_no_list_of_reports_is_refused(entries: Any) -> None:
    with pytest.raises(ProtocolError):
        read_reports(entries)
