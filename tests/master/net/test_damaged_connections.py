"""A record that is damaged on a session, or a callback that fails: it costs that session, and no other notices.

Real sockets and TLS, a clock by hand.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import pytest
from tq.common.errors import Unreachable
from tq.common.wire.protocol import PING, Answerer
from tq.common.wire.tls import TlsPipe
from tq.common.wire.transport import SecureTransport
from tq.master.net.admission import AdmissionLimiter
from tq.master.net.engine_port import EnginePort
from tq.master.net.peer_session import PeerSession

from tests.master.net.harness import HEARTBEAT, SILENCE, Client, ServerHarness, actions, is_served

from ..conftest import GRACE_MS

TOKEN = b"t" * 16
LOCK = ["get_lock", "held"]
LENGTH_HIGH, BODY = 3, 5  # where a record has the high byte of its length, and its content
DAMAGED = b"\x17\x03\x03\x00\x20" + bytes(32)  # a record that cannot be decrypted
LONGER = 0x04  # of the length's high byte: 1,024 bytes more


def connected(bench: Any) -> int:
    """How many peers have a session; the bench's own does not count here."""
    return len(bench.engine.sessions.connections) - 1


# damage


def test_a_damaged_record_ends_its_connection_and_its_session_at_once(
    harness: ServerHarness, bench: Any
) -> None:
    holder = Client(harness)
    assert holder.call(LOCK, "acquire", TOKEN) == 1
    holder.say_damaged(PING, at=BODY + 2, mask=1)
    harness.settle()
    assert holder.hung_up
    assert connected(bench) == 0
    assert actions(harness).count("connection.broken") == 1
    assert "master.bug" not in actions(harness)
    bench.advance((GRACE_MS + 1_000) / 1000)
    assert is_served(other := Client(harness))
    assert other.call(LOCK, "acquire", b"u" * 16) == 2


def test_bytes_that_only_fill_a_false_record_are_no_sign_of_life(harness: ServerHarness, bench: Any) -> None:
    deaf = Client(harness)
    deaf.say_damaged(PING, at=LENGTH_HIGH, mask=LONGER)
    for beat in itertools.count(1):
        harness.at(beat * HEARTBEAT / 2)
        if beat * HEARTBEAT / 2 >= SILENCE:
            break
        deaf.peer.say(PING)
        assert not deaf.hung_up
    assert deaf.hung_up
    harness.settle()
    assert connected(bench) == 0


def test_an_unauthenticated_connection_with_a_damaged_record_leaves_its_place_and_one_line(
    harness: ServerHarness,
) -> None:
    peers = [harness.connect().do_tls() for _ in range(8)]
    for peer in peers:
        peer.send(DAMAGED)
        with contextlib.suppress(Unreachable):
            peer.listen()
        assert peer.hung_up
    assert not harness.server.context.connections
    assert len(harness.server.context.admission) == 0
    assert actions(harness) == ["connection.refused"] * len(peers)


def test_a_peer_whose_tls_broke_is_only_closed(harness: ServerHarness, bench: Any) -> None:
    client, other = Client(harness), Client(harness)
    connection = next(one.wire for one in bench.engine.sessions if isinstance(one.wire, PeerSession))
    with contextlib.suppress(Unreachable):
        connection._connection._wire.tls.receive(DAMAGED)
    assert connection._connection._wire.tls.broken
    connection.disconnect("silent for a whole lease")
    harness.settle()
    assert client.hung_up
    assert is_served(other)


# callbacks that fail


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("planted")


INSIDE: list[tuple[Any, str]] = [
    (Answerer, "head"),
    (SecureTransport, "send_queued"),
    (SecureTransport, "write"),
    (TlsPipe, "receive"),
    (TlsPipe, "send"),
    (EnginePort, "seen"),
    (Answerer, "understand"),
]


@pytest.mark.parametrize(("owner", "name"), INSIDE, ids=lambda one: getattr(one, "__name__", one))
def test_a_callback_that_fails_costs_its_own_connection(
    harness: ServerHarness, bench: Any, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    victim, other = Client(harness), Client(harness)
    victim.ask(LOCK, "state")
    harness.settle()
    peer = victim.peer
    peer.tls.send(PING)  # before the plant: the test's own TLS is of the same class
    ping = peer.tls.take_output()
    with monkeypatch.context() as plant:
        plant.setattr(owner, name, broken)
        peer.socket.sendall(ping)
        harness.turn()
    harness.settle()
    assert victim.hung_up
    assert connected(bench) == 1
    assert is_served(other)
    assert "master.bug" in actions(harness)


def test_a_callback_that_fails_for_a_new_connection_costs_that_connection(
    harness: ServerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Client(harness)
    with monkeypatch.context() as plant:
        plant.setattr(AdmissionLimiter, "enter", broken)
        assert harness.connect().hung_up
    assert is_served(other)


def test_an_answer_that_cannot_be_written_is_an_error_for_who_asked_and_the_others_get_theirs(
    harness: ServerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, other = Client(harness), Client(harness)
    with monkeypatch.context() as plant:
        encode = Answerer.answer
        failed: list[int] = []

        def once(self: Answerer, call_id: int, value: Any) -> bytes:
            if not failed:
                failed.append(call_id)
                raise MemoryError
            return encode(self, call_id, value)

        plant.setattr(Answerer, "answer", once)
        calls = [victim.ask(LOCK, "state"), other.ask(LOCK, "state")]
        assert victim.answer(calls[0]) == "RemoteError"
        assert other.answer(calls[1]) == [1, 0, 0]
