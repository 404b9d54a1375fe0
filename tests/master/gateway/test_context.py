"""Limits that all connections of the gateway share."""

from __future__ import annotations

from tq.master.gateway.context import UNREAD_BYTES_MAX as UNREAD_ANSWERS_MAX

from .peers import LARGE, GatewayHarness, is_back, put


def test_of_many_clients_that_do_not_read_the_first_are_closed(harness: GatewayHarness) -> None:
    many = UNREAD_ANSWERS_MAX // LARGE + 3
    clients = []
    for number in range(many):
        put(harness, b"x" * LARGE, f"q{number}")
        clients.append(harness.admitted(f"q{number}"))
        clients[-1].say(clients[-1].request("get"))
        harness.until(lambda: not is_back(harness, f"q{number}"))  # noqa: B023 - asked at once
    harness.until(lambda: is_back(harness, "q0"))
    assert sum(one.unsent_bytes() for one in harness.gateway.context.unread) <= UNREAD_ANSWERS_MAX
    assert clients[-1].answer() == ("#RETURN", b"x" * LARGE)
    assert "it does not read its answers, and too many do not" in harness.logged_errors()
