"""Reports travel as slices where they can, and the master's answer finds each of them again."""

from __future__ import annotations

from array import array
from typing import Any

from tq.common.contract.workers import ReportRow, unpack_seconds
from tq.common.domain.model import OutcomeNumber
from tq.worker.agent.ended import EndedJob, EndedSlice
from tq.worker.agent.finish_call import FinishCall

LEASE = b"l" * 16


def id_of(place: int) -> bytes:
    return bytes(12) + place.to_bytes(4, "big")


def one(place: int, blobs: list[bytes] | None = None) -> EndedJob:
    outcome = OutcomeNumber.ERROR if blobs is None else OutcomeNumber.SUCCESS
    return EndedJob(ReportRow(id_of(place), 1, LEASE, int(outcome), b"x", 1.7e9, 0.5, None), blobs or ())


def results(first: int, count: int) -> EndedSlice:
    seconds = array("d", [place / 2 for place in range(first, first + count)])
    started = array("d", [1.7e9] * count)
    bodies = [b"%d" % place for place in range(first, first + count)]
    return EndedSlice(id_of(first), 1, LEASE, bodies, started, seconds, sum(map(len, bodies)))


def test_neighbours_that_succeeded_are_one_slice() -> None:
    call = FinishCall([results(1, 3)])
    rows, blobs, [slice] = call.arguments
    assert (rows, blobs) == ([], None)
    assert (slice.id, slice.attempt, slice.lease) == (id_of(1), 1, LEASE)
    assert slice.results == [b"1", b"2", b"3"]
    assert unpack_seconds(slice.seconds) == [0.5, 1.0, 1.5]


def test_a_result_by_itself_is_a_row() -> None:
    call = FinishCall([results(1, 1), one(7)])
    assert call.arguments == [[results(1, 1).one(0).row, one(7).row]]


def test_content_is_named_by_the_row_whose_result_it_is() -> None:
    call = FinishCall([results(1, 2), one(5), one(6, [b"hash"])])
    rows, blobs, slices = call.arguments
    assert (len(rows), blobs, len(slices)) == (2, [[1, [b"hash"]]], 1)


def test_what_the_master_calls_stale_is_found_among_the_reports() -> None:
    call = FinishCall([one(9), results(0, 4), one(7)])
    assert call.keys() == [(row.id, row.attempt) for row in call.rows()]
    answers: list[tuple[list[Any], set[int]]] = [
        ([], set()),
        ([0], {0}),
        ([1, [0, 1, 3]], {5, 2, 3}),
        ([[0, 0, 4]], {1, 2, 3, 4}),
    ]
    for answer, places in answers:
        assert call.stale(answer) == places
