"""What is asked before the number of shards is known."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
import tq
from tq.client.core.held_calls import HeldCalls
from tq.client.core.pending_calls import PendingCalls
from tq.client.tasks.outcomes import OutcomeBox
from tq.common.domain.id_runs import IdRun


def test_all_goes_on_in_its_order_when_it_is_known_and_those_who_asked_know_it_after_that() -> None:
    held, pending, asked = HeldCalls(), PendingCalls("default"), Future[int]()
    held.ask(asked)
    held.call(Future(), ("get_lock", "a"), "acquire", (b"1",), repeatable=True)
    held.call(Future(), ("get_lock", "a"), "release", (b"1",), repeatable=True, until_done=True)
    assert held.want_a_connection
    assert held.must_finish
    seen: list[int] = []
    asked.add_done_callback(lambda _: seen.append(len(pending._waiting)))
    held.pour(pending, 7)
    assert (asked.result(0), seen) == (7, [2])
    pending.connected()
    assert [call.method for call in pending.take_outgoing()] == ["acquire", "release"]
    assert not held.want_a_connection
    assert not held.must_finish


def test_without_a_connection_it_fails_as_any_other_call() -> None:
    held, pending, asked, call, box = (
        HeldCalls(),
        PendingCalls("default"),
        Future[int](),
        Future[Any](),
        OutcomeBox(),
    )
    held.ask(asked)
    held.watch(box, [IdRun(b"x" * 16, 2)])
    held.call(call, ("get_master",), "info", (), repeatable=True)
    error = tq.Unreachable("no listener")
    held.fail(pending, error)
    with pytest.raises(tq.Unreachable, match="no listener"):
        asked.result(0)
    pending.give_up(error)
    assert [one.ticket for one in pending.take_settled()] == [call]
    assert [one.listener for one in pending.take_deliveries()] == [box]


def test_what_is_forgotten_before_anything_was_asked_needs_no_connection() -> None:
    held = HeldCalls()
    held.forget(OutcomeBox())
    assert not held.want_a_connection
