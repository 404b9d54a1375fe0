"""What the log has of connections that were rejected: a bounded number of lines, each with the address and the reason."""

from __future__ import annotations

from tq.common.runtime.limited_log import LINES_AT_ONCE
from tq.master.net.admission import (
    REFUSAL_DELAY_SECONDS,
    REFUSALS_FREE,
)

from tests.master.net.harness import WRONG, ServerHarness


def guess(harness: ServerHarness, *, times: int = REFUSALS_FREE) -> None:
    for _ in range(times):
        harness.connect().do_tls().prove(WRONG)
    harness.at(REFUSAL_DELAY_SECONDS)


def test_a_rejection_is_a_line_in_the_log_and_a_thousand_are_a_few(harness: ServerHarness) -> None:
    for _ in range(50):
        harness.connect().send(b"GET / HTTP/1.1\r\n\r\n")
    guess(harness, times=1)
    refusals = [fields for action, fields in harness.reports if action == "connection.refused"]
    assert len(refusals) == LINES_AT_ONCE + 1  # the wrong key is not hidden by the others
    assert "the key was refused" in refusals[-1]["error"]
    assert harness.server.context.rejections == 51


def test_the_log_of_a_rejection_names_the_address_and_the_fault(harness: ServerHarness) -> None:
    harness.connect().send(b"GET / HTTP/1.1\r\n\r\n")
    [(action, fields)] = harness.reports
    assert action == "connection.refused"
    assert fields == {
        "level": "warning",
        "address": "unknown",
        "error": "this is tq's port, it speaks no HTTP",
    }
