"""A cause of failures: its place, and what it counts."""

from __future__ import annotations

import pytest
from tq.common.domain.causes import HOUR_MS, HOURS, NAMES_MAX, Cause, CodePlace, place_of, unpacked
from tq.common.errors import ProtocolError

TRACE = """Traceback (most recent call last):
  File "/app/jobs.py", line 7, in send
    post(order)
  File "/app/shop/mail.py", line 31, in post
    client.send(text)
  File "/usr/lib/python3.11/site-packages/smtp/client.py", line 400, in send
    raise Refused
smtp.Refused: no
"""


def cause() -> Cause:
    return Cause(queue="q", name="m:f", kind="ValueError", where="post, mail.py")


def add(one: Cause, at: int, host: str = "crow", *, is_final: bool = True) -> None:
    one.add(at, b"i" * 16, 31, "no", host, "1.2", is_final=is_final)


def test_the_place_is_the_innermost_frame_of_the_users_code() -> None:
    assert place_of(TRACE) == CodePlace("post, mail.py", 31)


def test_without_a_frame_of_the_users_it_is_the_innermost_and_without_any_none() -> None:
    library = TRACE[: TRACE.index("  File")] + TRACE[TRACE.index('  File "/usr') :]
    assert place_of(library) == CodePlace("send, client.py", 400)
    assert place_of("killed") == CodePlace()


def test_a_long_text_costs_its_end_alone() -> None:
    assert place_of('  File "x", line 1, in y\n' * 100_000 + TRACE) == CodePlace("post, mail.py", 31)


def test_hours_hosts_and_versions_are_bounded_and_the_newest_stay() -> None:
    one = cause()
    for hour in range(3 * HOURS):
        add(one, hour * HOUR_MS, f"host{hour}", is_final=hour % 2 == 0)
    assert (one.failed, one.retried) == (3 * HOURS // 2, 3 * HOURS // 2)
    assert one.hourly((3 * HOURS - 1) * HOUR_MS) == [1] * HOURS
    assert one.hourly(9 * HOURS * HOUR_MS) == [0] * HOURS
    assert list(one.hosts) == [f"host{hour}" for hour in range(3 * HOURS - NAMES_MAX, 3 * HOURS)]
    assert one.last == (3 * HOURS - 1) * HOUR_MS
    assert len(one.packed()) < 4_096


def test_it_is_the_same_after_it_was_stored() -> None:
    one = cause()
    add(one, 5 * HOUR_MS)
    assert unpacked(one.packed()) == one


@pytest.mark.parametrize("body", [b"", b"\x80", b"\xc1", b"\x93\x01\x02\x03"])
def test_one_of_another_version_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        unpacked(body)


def test_of_a_process_that_was_killed_it_is_where_it_stood() -> None:
    stacks = """Current thread 0x00007f5d08257b80 (most recent call first):
  File "/usr/lib/python3.11/socket.py", line 5 in recv
  File "/app/jobs.py", line 41 in stuck
  File "/app/main.py", line 3 in main
"""
    assert place_of(stacks) == CodePlace("stuck, jobs.py", 41)
