"""A stock client's connection as an attacker with the key has it: who does not read, who floods, what a bug costs.

Real sockets, a clock by hand, and the master's own engine behind it.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import statistics
import time
from typing import Any

import pytest
from tq.master.gateway import connection as connection_module
from tq.master.gateway.connection import LINGER_SECONDS, UNREAD_BYTES_MAX, WORDS_MAX
from tq.master.gateway.handshake import FRAME_BYTES_MAX, frame
from tq.master.gateway.socket_options import NOTICED

from .peers import LARGE, GatewayHarness, get_and_not_read, is_back, put


def test_a_request_does_not_wait_for_an_acknowledgement_of_the_handshake(harness: GatewayHarness) -> None:
    many, delay_seconds = 40, 0.04  # with which a system acknowledges what is not answered
    moments = [time.monotonic()]
    for _ in range(many):
        harness.admitted()
        moments.append(time.monotonic())
    # not their sum: on a busy machine a few of them take as long for other reasons
    assert (
        statistics.median(after - before for before, after in itertools.pairwise(moments)) < delay_seconds / 2
    )


# who does not read


def test_a_host_that_vanished_is_noticed_also_while_an_answer_is_on_its_way_to_it(
    harness: GatewayHarness,
) -> None:
    harness.admitted()
    (one,) = harness.gateway.context.connections
    plug = one._transport.get_extra_info("socket")  # type: ignore[union-attr]
    assert plug.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    for name, value in NOTICED.items():
        if hasattr(socket, name):
            assert plug.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == value


def test_a_client_that_sends_requests_and_reads_nothing_is_cut_off_and_leaves_nothing_behind(
    harness: GatewayHarness,
) -> None:
    put(harness, b"x" * LARGE)
    client = harness.admitted()
    get_and_not_read(client)
    with contextlib.suppress(ConnectionError):
        client.say(*[b"x" * FRAME_BYTES_MAX] * (UNREAD_BYTES_MAX // FRAME_BYTES_MAX + 1))
    harness.until(lambda: not harness.gateway.context.connections and is_back(harness))
    assert "it sends requests without waiting for their answers" in harness.logged_errors()


def test_a_client_that_closes_without_reading_has_seconds_to_read(harness: GatewayHarness) -> None:
    put(harness, b"x" * LARGE)
    client = harness.admitted()
    get_and_not_read(client)
    client.socket.shutdown(socket.SHUT_WR)
    harness.until(lambda: is_back(harness))
    assert len(harness.gateway.context.connections) == 1  # it counts as long as it is there
    harness.loop.now += LINGER_SECONDS
    harness.until(lambda: not harness.gateway.context.connections)


# who floods


def test_a_flood_of_requests_on_one_connection_lets_others_be_answered_in_between(
    harness: GatewayHarness,
) -> None:
    flood, other = harness.admitted(), harness.admitted()
    requests = 2_000
    flood.socket.sendall(frame(b"") * requests)
    other.socket.sendall(frame(other.request("qsize")))
    assert other.answer() == ("#RETURN", 0)
    flood.listen()
    answered = 0
    while flood._frames.next():
        answered += 1
    assert answered < requests
    for _ in range(requests - answered):
        assert flood.answer()[0] == "#TRACEBACK"


def test_an_error_is_short_even_if_the_request_is_not(harness: GatewayHarness) -> None:
    client = harness.admitted()
    value: Any = "\ud800"  # half a character
    for _ in range(10):
        value = {"k" * 10_000: value}
    kind, error = client.call("put", value)
    assert (kind, type(error), len(str(error)) <= WORDS_MAX) == ("#ERROR", TypeError, True)


# what a bug costs


def test_a_bug_in_reading_costs_one_connection(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    struck, other = harness.admitted(), harness.admitted()
    with monkeypatch.context() as patch:
        patch.setattr(connection_module, "read_call", lambda *_: 1 // 0)
        struck.say(struck.request("qsize"))

        def hung_up() -> bool:
            struck.listen()
            return struck.hung_up

        harness.until(hung_up)
    assert any(action == "master.bug" for action, _ in harness.reports)
    assert "ZeroDivisionError" in harness.logged_errors()
    assert other.call("qsize") == ("#RETURN", 0)
