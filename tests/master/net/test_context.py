"""What the log has of connections that were rejected: a bounded number of lines, each with the address and the reason."""

from __future__ import annotations

from tq.master.net.admission import (
    REFUSAL_DELAY_SECONDS,
    REFUSALS_FREE,
)
from tq.master.net.rejections import LINES_AT_ONCE

from tests.master.net.door import WRONG, Door


def guess(door: Door, *, times: int = REFUSALS_FREE) -> None:
    for _ in range(times):
        door.knock().do_tls().prove(WRONG)
    door.at(REFUSAL_DELAY_SECONDS)


def test_a_stranger_is_a_line_in_the_log_and_a_thousand_are_a_few(door: Door) -> None:
    for _ in range(50):
        door.knock().send(b"GET / HTTP/1.1\r\n\r\n")
    guess(door, times=1)
    told = [fields for action, fields in door.reports if action == "connection.refused"]
    assert len(told) == LINES_AT_ONCE + 1  # the wrong key is not hidden by the others
    assert "the key was refused" in told[-1]["error"]
    assert door.server.context.rejections == 51


def test_what_is_told_of_a_stranger_names_its_address_and_its_fault(door: Door) -> None:
    door.knock().send(b"GET / HTTP/1.1\r\n\r\n")
    [(action, fields)] = door.reports
    assert action == "connection.refused"
    assert fields == {
        "level": "warning",
        "address": "unknown",
        "error": "this is tq's port, it speaks no HTTP",
    }
