"""A slice of results: however it is cut and joined, each attempt keeps its own result and times."""

from __future__ import annotations

from array import array

from tq.common.contract.workers import ReportRow
from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.ended import EndedJob, EndedSlice

LEASE = b"lease"


def slice_of(first: int, count: int) -> EndedSlice:
    numbers = range(first, first + count)
    times = (
        array("d", [1.7e9 + number for number in numbers]),
        array("d", [float(number) for number in numbers]),
    )
    bodies = [b"%d" % number for number in numbers]
    return EndedSlice(first.to_bytes(16, "big"), 3, LEASE, bodies, *times, sum(map(len, bodies)))


def row(number: int) -> ReportRow:
    success = int(OutcomeNumber.SUCCESS)
    id, body = number.to_bytes(16, "big"), b"%d" % number
    return ReportRow(id, 3, LEASE, success, body, 1.7e9 + number, float(number), None)


def test_every_attempt_of_a_slice_is_a_row_with_what_is_its_own() -> None:
    slice = slice_of(254, 4)
    assert slice.rows() == [row(number) for number in range(254, 258)]
    assert slice.keys() == [(one.id, one.attempt) for one in slice.rows()]
    assert (slice.end, slice.seconds_max, slice.size_bytes) == (258, 257.0, 12)


def test_parts_that_are_joined_are_the_slice_again() -> None:
    whole = slice_of(7, 9)
    first = whole.part(0, 4)
    first.join(whole.part(4, 9))
    assert (first.rows(), first.held, first.size_bytes) == (whole.rows(), whole.held, whole.size_bytes)
    assert len(whole) == 9, "a part is a copy"


def test_what_is_left_of_a_slice_keeps_its_places() -> None:
    lost = {row(1).id, row(2).id, row(5).id}
    left = slice_of(1, 6).without({(id, 3) for id in lost})
    assert [one.rows() for one in left] == [[row(3), row(4)], [row(6)]]
    assert slice_of(1, 2).without({(row(1).id, 3), (row(2).id, 3)}) == []


def test_an_attempt_by_itself_is_held_by_its_id() -> None:
    assert EndedJob(row(5)).held == [row(5).id, 3, LEASE] == slice_of(5, 1).held
    assert slice_of(5, 2).held == [[row(5).id, 2], 3, LEASE]
