"""Messages of an admitted connection: calls, those of a worker's children, and what ends it. Real sockets and TLS."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.wire.frames import HEADER, Kind
from tq.common.wire.protocol import Caller, child_frame

from tests.master.net.harness import FRAME_BYTES_MAX, Peer, ServerHarness

from ..conftest import GRACE_MS


@pytest.fixture
def worker(harness: ServerHarness, bench: Any) -> Peer:
    harness.token = bench.client(role=Role.ADMIN).call("get_keys", "add", "worker", [], "")
    return harness.connect().do_tls().prove(role=Role.WORKER)


LOCK, TOKEN = ["get_lock", "l"], b"t" * 16
CHILD, SIBLING = b"c" * 16, b"s" * 16


def answers(peer: Peer) -> dict[int, Any]:
    peer.harness.settle()
    peer.listen()
    return {body[0]: body[1] for kind, body in peer.frames if kind == Kind.RETURN}


def test_two_calls_of_one_number_end_the_session(harness: ServerHarness) -> None:
    peer = harness.connect().admitted()
    _, call = Caller().call(["get_result_queue", "s"], "collect", [1], {})
    peer.say(call + call)
    assert peer.hung_up
    assert peer.frames[-1] == (Kind.GOODBYE, "call id 1 is in use")


@pytest.mark.parametrize(
    ("length", "ended"), [(FRAME_BYTES_MAX - 1, False), (FRAME_BYTES_MAX, False), (FRAME_BYTES_MAX + 1, True)]
)
def test_an_admitted_connection_has_the_masters_limit(
    harness: ServerHarness, length: int, ended: bool
) -> None:
    peer = harness.connect().admitted()
    peer.say(HEADER.pack(length, Kind.CALL))
    assert peer.hung_up == ended
    if ended:
        assert peer.frames[-1][0] == Kind.GOODBYE
        assert "the limit here is 1,048,576" in peer.frames[-1][1]


# a worker's children


def test_what_a_child_holds_is_its_own_and_is_given_back_when_it_has_died(
    harness: ServerHarness, worker: Peer, bench: Any
) -> None:
    caller = Caller()
    _, acquire = caller.call(LOCK, "acquire", [TOKEN, False], {}, CHILD)
    _, by_sibling = caller.call(LOCK, "acquire", [SIBLING, True], {}, SIBLING)
    _, held = caller.call(LOCK, "held", [TOKEN], {}, SIBLING)
    worker.say(acquire + by_sibling + held)
    assert answers(worker) == {1: 1, 3: False}
    worker.say(child_frame(CHILD, False))
    assert answers(worker) == {1: 1, 3: False}
    bench.advance(GRACE_MS / 1000 + 1)
    harness.turn()
    assert answers(worker) == {1: 1, 3: False, 2: 2}


def test_a_child_that_dies_waits_for_nothing_any_more(
    harness: ServerHarness, worker: Peer, bench: Any
) -> None:
    """A parked call of the dead would be given what the living wait for."""
    caller = Caller()
    _, parked = caller.call(["get_queue", "q"], "get", [TOKEN, True], {}, CHILD)
    _, other = caller.call(["get_queue", "q"], "get", [SIBLING, True], {}, SIBLING)
    worker.say(parked + other)
    harness.settle()
    worker.say(child_frame(CHILD, False))
    harness.settle()
    _, put = caller.call(["get_queue", "q"], "put", [b"p" * 16, 1, b"item"], {}, SIBLING)
    worker.say(put)
    assert answers(worker) == {2: b"item", 3: True}


def test_a_child_that_is_named_on_the_next_connection_keeps_what_it_holds(
    harness: ServerHarness, worker: Peer, bench: Any
) -> None:
    _, acquire = Caller().call(LOCK, "acquire", [TOKEN, False], {}, CHILD)
    worker.say(acquire)
    assert answers(worker) == {1: 1}
    worker.socket.close()
    harness.turn()
    again = harness.connect().do_tls().prove(role=Role.WORKER)
    again.say(child_frame(CHILD, True))
    harness.settle()
    bench.advance(GRACE_MS / 1000 + 1)
    _, held = Caller().call(LOCK, "held", [TOKEN], {}, CHILD)
    again.say(held)
    assert answers(again) == {1: True}


def test_a_child_is_no_connection_of_its_own_where_connections_are_counted(
    harness: ServerHarness, worker: Peer, bench: Any
) -> None:
    harness.settle()
    before = list(bench.engine.sessions.connections)
    _, acquire = Caller().call(LOCK, "acquire", [TOKEN, False], {}, CHILD)
    worker.say(acquire)
    assert answers(worker) == {1: 1}
    assert (bench.engine.sessions.connections, len(bench.engine.sessions)) == (before, len(before) + 1)


def test_a_child_abandons_a_call_and_only_a_worker_has_children(harness: ServerHarness, worker: Peer) -> None:
    caller = Caller()
    _, parked = caller.call(["get_queue", "q"], "get", [TOKEN, True], {}, CHILD)
    worker.say(parked + caller.abandon(1))
    harness.settle()
    _, put = caller.call(["get_queue", "q"], "put", [b"p" * 16, 1, b"item"], {}, CHILD)
    _, size = caller.call(["get_queue", "q"], "size", [], {}, CHILD)
    worker.say(put + size)
    assert answers(worker) == {2: True, 3: [1, 0, "fifo", 1]}
    harness.token = harness.clients
    newcomer = harness.connect().admitted()
    newcomer.say(child_frame(CHILD, True))
    assert newcomer.hung_up
    assert newcomer.frames[-1] == (Kind.GOODBYE, "only a worker has children")
