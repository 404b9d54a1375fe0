"""A stock client's connection as an attacker with the key has it: who does not read, who floods, what a bug costs.

Real sockets, a clock by hand, and the master's own engine behind it.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import pytest
from tq.master.gateway import connection as connection_module
from tq.master.gateway.connection import LINGER_SECONDS, UNREAD_BYTES_MAX, WORDS_MAX
from tq.master.gateway.handshake import FRAME_BYTES_MAX, frame
from tq.master.gateway.socket_options import NOTICED

from .peers import LARGE, Door, get_and_not_read, is_back, put


def test_a_request_does_not_wait_for_an_acknowledgement_of_the_handshake(door: Door) -> None:
    many, delay_seconds = 40, 0.04  # with which a system acknowledges what is not answered
    began = time.monotonic()
    for _ in range(many):
        door.come_in()
    assert time.monotonic() - began < many * delay_seconds / 2


# who does not read


def test_a_host_that_vanished_is_noticed_also_while_an_answer_is_on_its_way_to_it(door: Door) -> None:
    door.come_in()
    (one,) = door.gateway.context.connections
    plug = one._transport.get_extra_info("socket")  # type: ignore[union-attr]
    assert plug.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    for name, value in NOTICED.items():
        if hasattr(socket, name):
            assert plug.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == value


def test_who_asks_on_and_reads_nothing_is_cut_off_and_leaves_nothing_behind(door: Door) -> None:
    put(door, b"x" * LARGE)
    client = door.come_in()
    get_and_not_read(client)
    with contextlib.suppress(ConnectionError):
        client.say(*[b"x" * FRAME_BYTES_MAX] * (UNREAD_BYTES_MAX // FRAME_BYTES_MAX + 1))
    door.until(lambda: not door.gateway.context.connections and is_back(door))
    assert "it sends requests without waiting for their answers" in door.complaints()


def test_who_hangs_up_and_reads_nothing_has_seconds_to_do_so(door: Door) -> None:
    put(door, b"x" * LARGE)
    client = door.come_in()
    get_and_not_read(client)
    client.socket.shutdown(socket.SHUT_WR)
    door.until(lambda: is_back(door))
    assert len(door.gateway.context.connections) == 1  # it counts as long as it is there
    door.loop.now += LINGER_SECONDS
    door.until(lambda: not door.gateway.context.connections)


# who floods


def test_a_flood_of_requests_on_one_connection_lets_others_be_answered_in_between(door: Door) -> None:
    flood, other = door.come_in(), door.come_in()
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


def test_an_error_is_told_in_a_few_words_whatever_is_in_the_request(door: Door) -> None:
    client = door.come_in()
    value: Any = "\ud800"  # half a character
    for _ in range(10):
        value = {"k" * 10_000: value}
    kind, error = client.call("put", value)
    assert (kind, type(error), len(str(error)) <= WORDS_MAX) == ("#ERROR", TypeError, True)


# what a bug costs


def test_a_bug_in_reading_costs_one_connection(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    struck, other = door.come_in(), door.come_in()
    with monkeypatch.context() as patch:
        patch.setattr(connection_module, "read_call", lambda *_: 1 // 0)
        struck.say(struck.request("qsize"))

        def hung_up() -> bool:
            struck.listen()
            return struck.hung_up

        door.until(hung_up)
    assert any(action == "master.bug" for action, _ in door.reports)
    assert "ZeroDivisionError" in door.complaints()
    assert other.call("qsize") == ("#RETURN", 0)
