"""A wait with a limit, for a result of the standard library's types; with a real master in tests/cluster/test_waiting.py."""

from __future__ import annotations

import threading

import tq
from tq.client.stdlib.timed_waits import TimedWait
from tq.common.domain.ids import show_id

TASK = bytes(range(16))


def timed(event: threading.Event, task: bytes | None, timeout: float) -> TimedWait:
    session = tq.App("tq://127.0.0.1:1", "no key is needed").session
    return TimedWait(session, lambda: task, event.wait, timeout, list)


def test_what_comes_in_time_is_no_complaint_and_is_not_waited_for_any_longer() -> None:
    event = threading.Event()
    threading.Timer(0.05, event.set).start()
    assert timed(event, TASK, 20).succeeds()
    assert timed(event, TASK, 0).succeeds()


def test_what_does_not_come_is_named_with_the_time_that_was_given() -> None:
    late = timed(threading.Event(), TASK, 0.0625)
    assert not late.succeeds()
    assert late.complaint == f"task {show_id(TASK)} has no result after 0.0625 s; it goes on"


def test_nothing_is_named_where_no_task_is_known() -> None:
    late = timed(threading.Event(), None, -1)
    assert not late.succeeds()
    assert late.complaint == "it has no result after -1 s; it goes on"
