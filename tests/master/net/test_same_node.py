"""A node that connects again: its earlier connection ends, with all that was not read. Real sockets and TLS."""

from __future__ import annotations

import contextlib
from typing import Any

from tq.common.domain.model import Role
from tq.common.wire.frames import Kind
from tq.common.wire.protocol import Caller, child_frame

from tests.master.net.harness import LOCK, Client, ServerHarness, is_served

NODE, OTHER = b"n" * 16, b"o" * 16
QUEUE = ["get_task_queue", "q"]
TOKEN = b"t" * 16


def test_a_call_that_lies_in_the_earlier_connection_is_not_performed_after_its_repetition(
    harness: ServerHarness, bench: Any
) -> None:
    harness.token = bench.client(role=Role.ADMIN).call("get_keys", "add", "admin", [], "")
    earlier = Client(harness, NODE, Role.ADMIN)
    _, late = Caller().call(QUEUE, "pause", ["a reason"], {})
    earlier.peer.tls.send(late)  # the network still has it when the node connects again
    again = Client(harness, NODE, Role.ADMIN)
    for method, arguments in ("pause", ["a reason"]), ("resume", []):  # repeated, and undone
        call_id = again.ask(QUEUE, method, *arguments)
        again.answer(call_id)
        assert call_id in [body[0] for kind, body in again.peer.frames if kind == Kind.RETURN]
    with contextlib.suppress(OSError):  # the master may have closed that socket
        earlier.peer.send(earlier.peer.tls.take_output())
    harness.settle()
    assert [row["paused"] for row in again.call(["get_queues"], "list") if row["name"] == "q"] == [False]


def test_the_earlier_connection_is_closed_with_the_reason_and_what_the_node_holds_stays_its_own(
    harness: ServerHarness, bench: Any
) -> None:
    earlier = Client(harness, NODE)
    assert earlier.call(LOCK, "acquire", TOKEN) == 1
    again = Client(harness, NODE)
    assert earlier.hung_up
    assert earlier.peer.frames[-1] == (Kind.GOODBYE, "the same node connected again")
    bench.advance(60)
    harness.turn()
    assert again.call(LOCK, "held", TOKEN) is True
    assert len(bench.engine.sessions.connections) == 2  # with the bench's own


def test_connections_of_other_nodes_and_of_other_keys_stay(harness: ServerHarness, bench: Any) -> None:
    first, second = Client(harness, NODE), Client(harness, OTHER)
    harness.token = bench.client(role=Role.ADMIN).call("get_keys", "add", "client", [], "")
    of_another_key = Client(harness, NODE)
    assert is_served(first)
    assert is_served(second)
    assert is_served(of_another_key)


def test_a_child_of_a_worker_may_state_any_node_and_ends_no_connection(
    harness: ServerHarness, bench: Any
) -> None:
    harness.token = bench.client(role=Role.ADMIN).call("get_keys", "add", "worker", [], "")
    worker = harness.connect().do_tls().prove(role=Role.WORKER, node=NODE)
    worker.say(child_frame(NODE, True))
    assert not worker.hung_up


def test_the_sessions_of_children_end_with_the_earlier_connection_of_their_worker(
    harness: ServerHarness, bench: Any
) -> None:
    harness.token = bench.client(role=Role.ADMIN).call("get_keys", "add", "worker", [], "")
    worker = harness.connect().do_tls().prove(role=Role.WORKER, node=NODE)
    worker.say(child_frame(OTHER, True))
    harness.settle()
    before = len(bench.engine.sessions)
    again = harness.connect().do_tls().prove(role=Role.WORKER, node=NODE)
    again.say(child_frame(OTHER, True))
    harness.settle()
    assert worker.hung_up
    assert len(bench.engine.sessions) == before
