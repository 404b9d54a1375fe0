"""Reports travel as slices where they can, and the master's answer finds each of them again."""

from __future__ import annotations

from typing import Any

from tq.common.contract.workers import ReportRow, unpack_seconds
from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.finish_message import finish_message

LEASE, OTHER = b"l" * 16, b"m" * 16
SUCCESS, ERROR = int(OutcomeNumber.SUCCESS), int(OutcomeNumber.ERROR)


def report(place: int, outcome: int = SUCCESS, lease: bytes = LEASE, attempt: int = 1) -> ReportRow:
    id = bytes(12) + place.to_bytes(4, "big")
    return ReportRow(id, attempt, lease, outcome, b"%d" % place, 1.7e9, place / 2, None)


def test_neighbours_that_succeeded_are_one_slice() -> None:
    message = finish_message([report(1), report(2), report(3)], None)
    [slice] = message.slices
    assert (slice.id, slice.attempt, slice.lease) == (report(1).id, 1, LEASE)
    assert slice.results == [b"1", b"2", b"3"]
    assert unpack_seconds(slice.seconds) == [0.5, 1.0, 1.5]
    assert message.rows == []
    assert message.arguments == [[], None, [slice]]


def test_a_report_by_itself_is_a_row() -> None:
    message = finish_message([report(1), report(5), report(3)], None)
    assert message.arguments == [[report(1), report(5), report(3)]]


def test_failures_other_leases_and_named_content_are_in_no_slice() -> None:
    reports = [
        report(1),
        report(2),
        report(3, ERROR),
        report(4, lease=OTHER),
        report(5, attempt=2),
        report(6),
        report(7),
        report(8),
    ]
    message = finish_message(reports, [[6, [b"hash"]]])
    assert [(one.id, len(one.results)) for one in message.slices] == [(report(1).id, 2)]
    assert message.rows == [reports[place] for place in (2, 3, 4, 5, 6, 7)]
    assert message.blobs == [[4, [b"hash"]]]


def test_what_the_master_calls_stale_is_found_among_the_reports() -> None:
    reports = [report(9), *(report(place) for place in range(4)), report(7, ERROR)]
    message = finish_message(reports, None)
    answers: list[tuple[list[Any], set[int]]] = [
        ([], set()),
        ([0], {0}),
        ([1, [0, 1, 3]], {5, 2, 3}),
        ([[0, 0, 4]], {1, 2, 3, 4}),
    ]
    for answer, places in answers:
        assert message.stale(answer) == places
