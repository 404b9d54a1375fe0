"""A record that is damaged on a session, or a callback that fails: it costs that session, and nobody else notices.

Real sockets and TLS, a clock by hand.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import Any

import pytest
from tq.common.errors import ProtocolError
from tq.common.wire.frames import Kind
from tq.common.wire.protocol import PING, Answerer, Caller
from tq.common.wire.tls import TlsPipe
from tq.common.wire.transport import SecureTransport
from tq.master.net.admission import Gate
from tq.master.net.connection import Connection
from tq.master.net.server import DRAIN_SECONDS_MAX, STORE_PAUSE_SECONDS, Server

from tests.master.net.door import HEARTBEAT, SILENCE, Door

from ..conftest import GRACE_MS

TOKEN = b"t" * 16
LOCK = ["get_lock", "held"]
LENGTH_HIGH, BODY = 3, 5  # where a record has the high byte of its length, and its content
DAMAGED = b"\x17\x03\x03\x00\x20" + bytes(32)  # a record that cannot be decrypted
LONGER = 0x04  # of the length's high byte: 1,024 bytes more


class Client:
    """An admitted peer that makes calls."""

    def __init__(self, door: Door) -> None:
        self.door, self.peer, self._caller = door, door.knock().come_in(), Caller()
        door.settle()

    def ask(self, target: list[Any], method: str, *args: Any) -> int:
        call_id, frame = self._caller.call(target, method, args, {})
        self.peer.say(frame)
        return call_id

    def answer(self, call_id: int) -> Any:
        """What a call came to; None when there is no answer."""
        self.door.settle()
        with contextlib.suppress(ProtocolError):  # the alert of a master whose side of TLS is broken
            self.peer.listen()
        answers = [body for kind, body in self.peer.frames if kind in (Kind.RETURN, Kind.ERROR)]
        return next((value for id, value, *_ in answers if id == call_id), None)

    def call(self, target: list[Any], method: str, *args: Any) -> Any:
        return self.answer(self.ask(target, method, *args))

    def say_damaged(self, frame: bytes, *, at: int, mask: int) -> None:
        """Send a frame with a bit of its record changed."""
        self.peer.tls.send(frame)
        record = bytearray(self.peer.tls.take_output())
        record[at] ^= mask
        self.peer.send(bytes(record))

    @property
    def hung_up(self) -> bool:
        with contextlib.suppress(ProtocolError):
            return self.peer.hung_up
        return self.peer.hung_up


def actions(door: Door) -> list[str]:
    return [action for action, _ in door.reports]


def connected(bench: Any) -> int:
    """How many peers have a session; the bench's own is one that nobody here counts."""
    return len(bench.engine.connections) - 1


def is_served(client: Client) -> bool:
    return isinstance(client.call(LOCK, "state"), list)


# damage


def test_a_damaged_record_ends_its_connection_at_once_and_its_session_is_told(door: Door, bench: Any) -> None:
    holder = Client(door)
    assert holder.call(LOCK, "acquire", TOKEN) == 1
    holder.say_damaged(PING, at=BODY + 2, mask=1)
    door.settle()
    assert holder.hung_up
    assert connected(bench) == 0
    assert actions(door).count("connection.broken") == 1
    assert "master.bug" not in actions(door)
    bench.advance((GRACE_MS + 1_000) / 1000)
    assert is_served(other := Client(door))
    assert other.call(LOCK, "acquire", b"u" * 16) == 2


def test_bytes_that_only_fill_a_false_record_are_no_sign_of_life(door: Door, bench: Any) -> None:
    deaf = Client(door)
    deaf.say_damaged(PING, at=LENGTH_HIGH, mask=LONGER)
    for beat in itertools.count(1):
        door.at(beat * HEARTBEAT / 2)
        if beat * HEARTBEAT / 2 >= SILENCE:
            break
        deaf.peer.say(PING)
        assert not deaf.hung_up
    assert deaf.hung_up
    door.settle()
    assert connected(bench) == 0


def test_a_stranger_whose_record_is_damaged_leaves_its_place_and_one_line(door: Door) -> None:
    peers = [door.knock().do_tls() for _ in range(8)]
    for peer in peers:
        peer.send(DAMAGED)
        with contextlib.suppress(ProtocolError):
            peer.listen()
        assert peer.hung_up
    assert not door.server.connections
    assert len(door.server.gate) == 0
    assert actions(door) == ["connection.refused"] * len(peers)


def test_a_peer_that_is_told_something_after_its_tls_broke_is_only_closed(door: Door, bench: Any) -> None:
    client, other = Client(door), Client(door)
    connection = next(one.wire for one in bench.engine.sessions if isinstance(one.wire, Connection))
    with contextlib.suppress(ProtocolError):
        connection._wire.tls.receive(DAMAGED)
    assert connection._wire.tls.broken
    connection.disconnect("silent for a whole lease")
    door.settle()
    assert client.hung_up
    assert is_served(other)


# callbacks that fail


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("planted")


INSIDE: list[tuple[Any, str]] = [
    (Connection, "_take"),
    (SecureTransport, "send_queued"),
    (SecureTransport, "write"),
    (TlsPipe, "receive"),
    (TlsPipe, "send"),
    (Server, "heard"),
    (Answerer, "understand"),
]


@pytest.mark.parametrize(("owner", "name"), INSIDE, ids=lambda one: getattr(one, "__name__", one))
def test_whatever_fails_in_a_connection_costs_that_connection(
    door: Door, bench: Any, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    victim, other = Client(door), Client(door)
    victim.ask(LOCK, "state")
    door.settle()
    peer = victim.peer
    peer.tls.send(PING)  # before the plant: the test's own TLS is of the same class
    ping = peer.tls.take_output()
    with monkeypatch.context() as plant:
        plant.setattr(owner, name, broken)
        peer.socket.sendall(ping)
        door.turn()
    door.settle()
    assert victim.hung_up
    assert connected(bench) == 1
    assert is_served(other)
    assert "master.bug" in actions(door)


def test_what_fails_when_somebody_arrives_costs_who_arrived(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Client(door)
    with monkeypatch.context() as plant:
        plant.setattr(Gate, "enter", broken)
        assert door.knock().hung_up
    assert is_served(other)


def test_an_answer_that_cannot_be_written_is_an_error_for_who_asked_and_the_others_get_theirs(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, other = Client(door), Client(door)
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


@pytest.mark.parametrize("method", ["run", "committed", "next_wakeup"])
def test_the_master_goes_on_answering_after_a_bug_in_its_loop(
    door: Door, bench: Any, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    client = Client(door)
    with monkeypatch.context() as plant:
        plant.setattr(bench.engine, method, broken)
        client.ask(LOCK, "state")
        while "master.bug" not in actions(door):  # the test's time limit ends it
            door.turn()
    door.at(STORE_PAUSE_SECONDS * 2)
    assert is_served(client)


# the end


def test_draining_has_an_end_though_the_disk_does_not_answer(
    door: Door, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, began = threading.Event(), threading.Event()

    def hang() -> None:
        began.set()
        disk.wait()

    client = Client(door)
    door.settle()
    commit = bench.engine.store.commit
    monkeypatch.setattr(door.server._committer, "_here_seconds_max", 0.0)
    monkeypatch.setattr(bench.engine.store, "commit", hang)
    try:
        client.ask(LOCK, "acquire", TOKEN)
        door.turn()
        assert began.wait(10)
        draining = door.loop.create_task(door.server.drain())
        door.turn()
        door.at(DRAIN_SECONDS_MAX - 0.125)
        assert not draining.done()
        door.at(DRAIN_SECONDS_MAX)
        assert draining.done()
        assert draining.result() is False
        assert client.hung_up
    finally:
        disk.set()
        monkeypatch.setattr(bench.engine.store, "commit", commit)
        door.settle()
