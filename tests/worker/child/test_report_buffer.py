"""What a child gathers: results that follow one another travel together, everything else by itself, in order."""

from __future__ import annotations

from tq.common.wire.frames import unpack
from tq.worker.agent.reports import JobReport, LeftReport, SliceReport, read_reports
from tq.worker.child.report_buffer import BYTES_MAX, ReportBuffer


def test_results_of_consecutive_jobs_are_one_slice_and_others_are_between() -> None:
    buffer = ReportBuffer()
    assert not buffer
    buffer.result(1, b"a", 10.0, 0.1)
    buffer.result(2, b"b", 11.0, 0.2)
    buffer.other([3, 1, b"why", 12.0, 0.3, None, None])
    buffer.result(4, b"d", 13.0, 0.4)
    buffer.result(6, b"f", 14.0, 0.5)  # 5 was taken back
    buffer.other([7])
    assert buffer
    first, error, second, third, left = read_reports(unpack(buffer.take()))
    assert isinstance(first, SliceReport)
    assert (first.ordinal, first.bodies, list(first.seconds)) == (1, [b"a", b"b"], [0.1, 0.2])
    assert error == JobReport(3, 1, b"why", 12.0, 0.3, None)
    assert isinstance(second, SliceReport)
    assert isinstance(third, SliceReport)
    assert [second.ordinal, third.ordinal] == [4, 6]
    assert left == LeftReport(7)
    assert not buffer
    assert read_reports(unpack(buffer.take())) == []


def test_a_slice_does_not_go_on_over_the_end_of_a_block_or_of_a_message() -> None:
    buffer = ReportBuffer()
    buffer.result(1, b"a", 10.0, 0.1)
    buffer.end_of_block()
    buffer.result(2, b"b", 10.0, 0.1)
    assert [report.ordinal for report in read_reports(unpack(buffer.take()))] == [1, 2]
    buffer.result(3, b"c", 10.0, 0.1)
    assert [report.ordinal for report in read_reports(unpack(buffer.take()))] == [3]


def test_large_results_are_not_gathered_for_long() -> None:
    buffer = ReportBuffer()
    buffer.result(1, bytes(BYTES_MAX), 10.0, 0.1)
    assert buffer.size_bytes <= BYTES_MAX
    buffer.other([2, 1, b"x", 10.0, 0.1, None, None])
    assert buffer.size_bytes > BYTES_MAX
    buffer.take()
    assert buffer.size_bytes <= BYTES_MAX
