"""A connection from its first byte to its end: places, deadlines, refusals. Real sockets and TLS, a clock by hand."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tq.common.certificate import certificate_der, ensure_certificate, fingerprint
from tq.common.codec import encode_call
from tq.common.errors import Forbidden, ProtocolError, Rejected, TqError, from_wire
from tq.common.exposed import exposed
from tq.common.frames import HANDSHAKE_FRAME_BYTES_MAX, HEADER, FrameReader, Kind, encode_frame, pack, unpack
from tq.common.handshake import CLUSTER_ID_BYTES, ClientHandshake
from tq.common.keys import Credential
from tq.common.model import Role
from tq.common.session import PING, Caller, child_word
from tq.common.tls import TlsPipe, client_context, server_context
from tq.master.connection import SILENT_HEARTBEATS_MAX, Connection
from tq.master.gate import (
    HANDSHAKE_SECONDS_MAX,
    REFUSAL_DELAY_SECONDS,
    REFUSALS_FREE,
    SLOW_REFUSAL_DELAY_SECONDS,
    STRANGERS_PER_ADDRESS_MAX,
    TLS_SECONDS_MAX,
)
from tq.master.registry import Registry
from tq.master.server import Server

from .conftest import GRACE_MS

HEARTBEAT, FRAME_BYTES_MAX = 5.0, 2**20
START = 1_024.0  # eighths of seconds from here are exact
SILENCE = HEARTBEAT * SILENT_HEARTBEATS_MAX
TURNS = 12  # of the loop; everything here is on this machine and needs no waiting
WRONG = b"w" * 32
SECONDS_MAX = 10.0  # for what other threads do


class HandLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is moved by hand."""

    now = START

    def time(self) -> float:
        return self.now


class Door:
    """A master's server without a port: connections come in as pairs of sockets."""

    def __init__(self, bench: Any, folder: Path) -> None:
        files = ensure_certificate(folder)
        self.loop = HandLoop()
        self.reports: list[tuple[str, dict[str, Any]]] = []
        bench.engine.keys.pin = fingerprint(certificate_der(files[0]))
        self.token = self.clients = bench.client(role=Role.ADMIN).call("get_keys", "add", "client", [], "")
        self.server = Server(
            bench.engine,
            bench.registry,
            server_context(*files),
            certificate_der(files[0]),
            cluster_id=b"c" * CLUSTER_ID_BYTES,
            heartbeat_seconds=HEARTBEAT,
            frame_bytes_max=FRAME_BYTES_MAX,
            report=lambda action, **fields: self.reports.append((action, fields)),
            loop=self.loop,
            clock=lambda: bench.now,
        )
        self._peers: list[Peer] = []

    def turn(self) -> None:
        async def turns() -> None:
            for _ in range(TURNS):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    def settle(self) -> None:
        """Until no transaction is under way; the test's time limit ends it. Before the bench makes one itself."""
        while self.server.is_busy:
            self.turn()

    def at(self, seconds: float) -> None:
        """So many seconds after the start."""
        assert START + seconds >= self.loop.now
        self.loop.now = START + seconds
        self.turn()

    def knock(self) -> Peer:
        ours, theirs = socket.socketpair()
        self.loop.run_until_complete(
            self.loop.connect_accepted_socket(lambda: Connection(self.server), theirs)
        )
        self._peers.append(Peer(self, ours))
        self.turn()
        return self._peers[-1]

    def close(self) -> None:
        self.loop.run_until_complete(self.server.drain())
        self.turn()
        self.server.close()
        for peer in self._peers:
            peer.socket.close()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


class Peer:
    """Who knocks. Says what it is told to, and takes note of what it hears."""

    def __init__(self, door: Door, ours: socket.socket) -> None:
        self.door, self.socket = door, ours
        ours.setblocking(False)
        self.tls = TlsPipe(client_context(), server_side=False)
        self.frames: list[tuple[int, Any]] = []
        self._reader = FrameReader(FRAME_BYTES_MAX)
        self._closed = False

    @property
    def hung_up(self) -> bool:
        """Whether the master has closed the connection."""
        self.listen()
        return self._closed

    @property
    def refusal(self) -> TqError | None:
        """Why, if it said so."""
        self.listen()
        return next((from_wire(body) for kind, body in self.frames if kind == Kind.REFUSED), None)

    def listen(self) -> None:
        self.door.turn()
        with contextlib.suppress(BlockingIOError):
            while not self._closed:
                try:
                    data = self.socket.recv(65_536)
                except ConnectionResetError:
                    data = b""
                self._closed = not data
                for kind, body in self._reader.feed(self.tls.receive(data)) if data else ():
                    self.frames.append((kind, unpack(body) if body else None))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self.door.turn()

    def say(self, frame: bytes) -> None:
        self.tls.send(frame)
        self.send(self.tls.take_output())

    def do_tls(self) -> Peer:
        while data := self.tls.take_output():
            self.send(data)
            self.listen()
        assert self.tls.established
        return self

    def do_hello(self, secret: bytes | None = None, role: Role = Role.CLIENT) -> ClientHandshake:
        key = Credential.parse(self.door.token)
        credential = Credential(key_id=key.key_id, secret=secret or key.secret)
        handshake = ClientHandshake(
            credential=credential, role=role, node=b"n" * 16, certificate=self.tls.peer_certificate or b""
        )
        self.say(encode_frame(Kind.HELLO, handshake.hello()))
        self.listen()
        return handshake

    def prove(self, secret: bytes | None = None, role: Role = Role.CLIENT) -> Peer:
        handshake = self.do_hello(secret, role)
        kind, challenge = self.frames[-1]
        assert kind == Kind.CHALLENGE
        self.say(encode_frame(Kind.PROOF, handshake.on_challenge(pack(challenge))))
        self.listen()
        return self

    def come_in(self) -> Peer:
        self.do_tls().prove()
        assert self.frames[-1][0] == Kind.WELCOME
        return self


class Slow:
    """A user's object whose method takes until the test says otherwise."""

    def __init__(self) -> None:
        self.release, self._ended = threading.Event(), threading.Semaphore(0)

    @exposed("client")
    def work(self) -> str:
        assert self.release.wait(SECONDS_MAX)
        self._ended.release()
        return "done"

    def wait_for(self, calls: int) -> None:
        for _ in range(calls):
            assert self._ended.acquire(timeout=SECONDS_MAX)


@pytest.fixture
def slow(door: Door, bench: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    made = Slow()
    module = types.ModuleType("slow_of_tests")
    module.get_slow = lambda: made  # type: ignore[attr-defined]
    module.get_slow.__qualname__ = "get_slow"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    door.server.registry = Registry(bench.engine, {"get_slow": "slow_of_tests:get_slow"})
    yield made
    made.release.set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificate")


@pytest.fixture
def door(bench: Any, folder: Path) -> Iterator[Door]:
    door = Door(bench, folder)
    yield door
    door.close()


# deadlines


def test_who_says_nothing_is_hung_up_on_when_the_time_for_tls_is_over(door: Door) -> None:
    peer = door.knock()
    door.at(TLS_SECONDS_MAX - 0.125)
    assert not peer.hung_up
    door.at(TLS_SECONDS_MAX)
    assert peer.hung_up


def test_single_bytes_now_and_then_buy_no_time(door: Door) -> None:
    peer = door.knock()
    hello = peer.tls.take_output()
    for second in range(int(TLS_SECONDS_MAX)):
        door.at(second)
        peer.send(hello[second : second + 1])
        assert not peer.hung_up
    door.at(TLS_SECONDS_MAX)
    assert peer.hung_up


def test_tls_at_the_last_moment_leaves_what_is_left_for_the_proof(door: Door) -> None:
    peer = door.knock()
    late = TLS_SECONDS_MAX - 0.125
    door.at(late)
    peer.do_tls()
    door.at(TLS_SECONDS_MAX)
    assert not peer.hung_up
    end = late + HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX
    assert end < HANDSHAKE_SECONDS_MAX
    door.at(end - 0.125)
    assert not peer.hung_up
    door.at(end)
    assert peer.hung_up


def test_a_hello_or_half_a_proof_buys_no_time(door: Door) -> None:
    peer = door.knock().do_tls()
    peer.do_hello()
    door.at(HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX - 0.125)
    peer.say(encode_frame(Kind.PROOF, b"x" * 35)[:20])
    assert not peer.hung_up
    door.at(HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX)
    assert peer.hung_up


def test_who_has_come_in_is_not_hung_up_on_when_the_handshakes_time_is_over(door: Door) -> None:
    peer = door.knock().come_in()
    door.at(HANDSHAKE_SECONDS_MAX + 0.125)
    assert not peer.hung_up


def test_who_sends_a_long_frame_slowly_hears_a_sign_of_life_each_heartbeat(door: Door) -> None:
    peer = door.knock().come_in()
    peer.say(HEADER.pack(FRAME_BYTES_MAX, Kind.CALL))
    heard = []
    for beat in range(1, 9):
        door.at(HEARTBEAT * beat / 2)
        peer.say(b"part")
        peer.listen()
        heard.append([kind for kind, _ in peer.frames].count(Kind.PONG))
    assert heard[-1] - heard[0] in (3, 4)
    assert max(after - before for before, after in itertools.pairwise(heard)) == 1


def test_a_session_that_is_silent_for_four_heartbeats_is_ended(door: Door) -> None:
    silent, lively = door.knock().come_in(), door.knock().come_in()
    door.at(SILENCE - 0.125)
    lively.say(PING)
    assert lively.frames[-1][0] == Kind.WELCOME
    lively.listen()
    assert lively.frames[-1][0] == Kind.PONG
    assert not silent.hung_up
    door.at(SILENCE)
    assert silent.hung_up
    assert not lively.hung_up
    door.at(SILENCE - 0.125 + SILENCE)
    assert lively.hung_up


# places


@pytest.mark.parametrize("there", [STRANGERS_PER_ADDRESS_MAX - 1, STRANGERS_PER_ADDRESS_MAX])
def test_strangers_have_so_many_places_and_no_more(door: Door, there: int) -> None:
    strangers = [door.knock() for _ in range(there)]
    assert door.knock().hung_up == (there == STRANGERS_PER_ADDRESS_MAX)
    assert not any(stranger.hung_up for stranger in strangers)


def leave(door: Door, peer: Peer) -> None:
    peer.socket.close()
    door.turn()


def be_wrong(door: Door, peer: Peer) -> None:
    peer.do_tls().prove(WRONG)
    door.at(REFUSAL_DELAY_SECONDS)
    assert peer.hung_up


def be_rude(door: Door, peer: Peer) -> None:
    peer.send(b"GET / HTTP/1.1\r\n\r\n")
    assert peer.hung_up


def be_slow(door: Door, peer: Peer) -> None:
    door.at(TLS_SECONDS_MAX)
    assert peer.hung_up


@pytest.mark.parametrize("way", [leave, be_wrong, be_rude, be_slow, lambda door, peer: peer.come_in()])
def test_a_place_is_free_again_whichever_way_a_stranger_takes(
    door: Door, way: Callable[[Door, Peer], object]
) -> None:
    first, *_ = [door.knock() for _ in range(STRANGERS_PER_ADDRESS_MAX)]
    assert door.knock().hung_up
    way(door, first)
    assert not door.knock().hung_up


def test_a_place_is_given_back_once(door: Door) -> None:
    """Coming in gives it back, ending the session afterwards must not do so again."""
    for _ in range(3):
        leave(door, door.knock().come_in())
    strangers = [door.knock() for _ in range(STRANGERS_PER_ADDRESS_MAX)]
    assert not any(stranger.hung_up for stranger in strangers)
    assert door.knock().hung_up


# refusals


def test_a_wrong_proof_is_answered_after_a_uniform_delay(door: Door) -> None:
    peer = door.knock().do_tls().prove(WRONG)
    door.at(REFUSAL_DELAY_SECONDS - 0.125)
    assert peer.refusal is None
    assert not peer.hung_up
    door.at(REFUSAL_DELAY_SECONDS)
    assert isinstance(peer.refusal, Rejected)
    assert peer.hung_up


def test_a_right_proof_for_another_role_is_refused_alike_and_says_which_key_is_needed(door: Door) -> None:
    peer = door.knock().do_tls().prove(role=Role.WORKER)
    assert peer.refusal is None
    door.at(REFUSAL_DELAY_SECONDS)
    assert isinstance(peer.refusal, Rejected)
    assert "this key is a client key and cannot be used as worker" in str(peer.refusal)


def test_nothing_that_comes_after_a_wrong_proof_is_listened_to(door: Door) -> None:
    peer = door.knock().do_tls().prove(WRONG)
    _, call = Caller().call(["get_master"], "info", [], {})
    peer.say(call)
    door.at(REFUSAL_DELAY_SECONDS)
    assert isinstance(peer.refusal, Rejected)
    assert [kind for kind, _ in peer.frames] == [Kind.CHALLENGE, Kind.REFUSED]


def test_after_so_many_wrong_proofs_the_answers_are_slow(door: Door) -> None:
    for _ in range(REFUSALS_FREE):
        door.knock().do_tls().prove(WRONG)
    slow = door.knock().do_tls().prove(WRONG)
    door.at(SLOW_REFUSAL_DELAY_SECONDS - 0.125)
    assert not slow.hung_up
    assert not door.knock().come_in().hung_up  # who has the key is not made to wait
    door.at(SLOW_REFUSAL_DELAY_SECONDS)
    assert isinstance(slow.refusal, Rejected)
    assert slow.hung_up


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (HANDSHAKE_FRAME_BYTES_MAX - 1, "not a msgpack value"),
        (HANDSHAKE_FRAME_BYTES_MAX, "not a msgpack value"),
        (HANDSHAKE_FRAME_BYTES_MAX + 1, "a frame of 4,097 bytes was announced, the limit here is 4,096"),
    ],
)
def test_a_strangers_frame_has_a_limit(door: Door, length: int, reason: str) -> None:
    peer = door.knock().do_tls()
    peer.say(HEADER.pack(length, Kind.HELLO) + b"\xc1" * min(length, HANDSHAKE_FRAME_BYTES_MAX))
    assert isinstance(peer.refusal, ProtocolError)
    assert reason in str(peer.refusal)
    assert peer.hung_up


@pytest.mark.parametrize(
    ("length", "ended"), [(FRAME_BYTES_MAX - 1, False), (FRAME_BYTES_MAX, False), (FRAME_BYTES_MAX + 1, True)]
)
def test_who_has_come_in_has_the_masters_limit(door: Door, length: int, ended: bool) -> None:
    peer = door.knock().come_in()
    peer.say(HEADER.pack(length, Kind.CALL))
    assert peer.hung_up == ended
    if ended:
        assert peer.frames[-1][0] == Kind.GOODBYE
        assert "the limit here is 1,048,576" in peer.frames[-1][1]


def test_two_calls_of_one_number_end_the_session(door: Door) -> None:
    peer = door.knock().come_in()
    _, call = Caller().call(["get_result_queue", "s"], "collect", [1], {})
    peer.say(call + call)
    assert peer.hung_up
    assert peer.frames[-1] == (Kind.GOODBYE, "call id 1 is in use")


def test_a_call_that_is_forbidden_is_answered_and_the_session_goes_on(door: Door) -> None:
    peer = door.knock().come_in()
    _, call = Caller().call(["get_keys"], "list", [], {})
    peer.say(call)
    peer.listen()
    kind, (call_id, *fields) = peer.frames[-1]
    assert (kind, call_id) == (Kind.ERROR, 1)
    assert isinstance(from_wire(fields), Forbidden)
    assert not peer.hung_up


def test_calls_of_a_users_own_object_count_like_others(door: Door, slow: Slow) -> None:
    """They wait in the session until they are answered, so that nobody piles up calls without end."""
    peer = door.knock().come_in()
    payload = encode_call((), {})
    caller = Caller()
    _, first = caller.call(["get_slow"], "work", [payload], {})
    _, second = caller.call(["get_slow"], "work", [payload], {})
    peer.say(first + second)
    [session] = [one for one in door.server.engine.sessions if one.role == Role.CLIENT]
    assert set(session.calls) == {1, 2}
    peer.say(caller.abandon(2))
    slow.release.set()
    door.loop.run_until_complete(door.loop.run_in_executor(None, slow.wait_for, 2))
    while session.calls:  # the test's time limit ends it
        door.turn()
    peer.listen()
    assert [body[0] for kind, body in peer.frames if kind == Kind.RETURN] == [1]
    slow.release.clear()
    peer.say(first + first)
    assert peer.hung_up
    assert peer.frames[-1] == (Kind.GOODBYE, "call id 1 is in use")


# a worker's children


@pytest.fixture
def worker(door: Door, bench: Any) -> Peer:
    door.token = bench.client(role=Role.ADMIN).call("get_keys", "add", "worker", [], "")
    return door.knock().do_tls().prove(role=Role.WORKER)


LOCK, TOKEN = ["get_lock", "l"], b"t" * 16
CHILD, SIBLING = b"c" * 16, b"s" * 16


def answers(peer: Peer) -> dict[int, Any]:
    peer.door.settle()
    peer.listen()
    return {body[0]: body[1] for kind, body in peer.frames if kind == Kind.RETURN}


def test_what_a_child_holds_is_its_own_and_is_given_back_when_it_has_died(
    door: Door, worker: Peer, bench: Any
) -> None:
    caller = Caller()
    _, acquire = caller.call(LOCK, "acquire", [TOKEN, False], {}, CHILD)
    _, by_sibling = caller.call(LOCK, "acquire", [SIBLING, True], {}, SIBLING)
    _, held = caller.call(LOCK, "held", [TOKEN], {}, SIBLING)
    worker.say(acquire + by_sibling + held)
    assert answers(worker) == {1: 1, 3: False}
    worker.say(child_word(CHILD, False))
    assert answers(worker) == {1: 1, 3: False}
    bench.advance(GRACE_MS / 1000 + 1)
    door.turn()
    assert answers(worker) == {1: 1, 3: False, 2: 2}


def test_a_child_that_dies_waits_for_nothing_any_more(door: Door, worker: Peer, bench: Any) -> None:
    """A parked call of the dead would be given what the living wait for."""
    caller = Caller()
    _, parked = caller.call(["get_queue", "q"], "get", [TOKEN, True], {}, CHILD)
    _, other = caller.call(["get_queue", "q"], "get", [SIBLING, True], {}, SIBLING)
    worker.say(parked + other)
    door.settle()
    worker.say(child_word(CHILD, False))
    door.settle()
    _, put = caller.call(["get_queue", "q"], "put", [b"p" * 16, 1, b"item"], {}, SIBLING)
    worker.say(put)
    assert answers(worker) == {2: b"item", 3: True}


def test_a_child_that_is_named_on_the_next_connection_keeps_what_it_holds(
    door: Door, worker: Peer, bench: Any
) -> None:
    _, acquire = Caller().call(LOCK, "acquire", [TOKEN, False], {}, CHILD)
    worker.say(acquire)
    assert answers(worker) == {1: 1}
    worker.socket.close()
    door.turn()
    again = door.knock().do_tls().prove(role=Role.WORKER)
    again.say(child_word(CHILD, True))
    door.settle()
    bench.advance(GRACE_MS / 1000 + 1)
    _, held = Caller().call(LOCK, "held", [TOKEN], {}, CHILD)
    again.say(held)
    assert answers(again) == {1: True}


def test_a_child_is_no_connection_of_its_own_where_connections_are_counted(
    door: Door, worker: Peer, bench: Any
) -> None:
    door.settle()
    before = list(bench.engine.connections)
    _, acquire = Caller().call(LOCK, "acquire", [TOKEN, False], {}, CHILD)
    worker.say(acquire)
    assert answers(worker) == {1: 1}
    assert (bench.engine.connections, len(bench.engine.sessions)) == (before, len(before) + 1)


def test_a_child_gives_up_a_call_and_nobody_but_a_worker_has_children(door: Door, worker: Peer) -> None:
    caller = Caller()
    _, parked = caller.call(["get_queue", "q"], "get", [TOKEN, True], {}, CHILD)
    worker.say(parked + caller.abandon(1))
    door.settle()
    _, put = caller.call(["get_queue", "q"], "put", [b"p" * 16, 1, b"item"], {}, CHILD)
    _, size = caller.call(["get_queue", "q"], "size", [], {}, CHILD)
    worker.say(put + size)
    assert answers(worker) == {2: True, 3: [1, 0, "fifo", 1]}
    door.token = door.clients
    stranger = door.knock().come_in()
    stranger.say(child_word(CHILD, True))
    assert stranger.hung_up
    assert stranger.frames[-1] == (Kind.GOODBYE, "only a worker has children")


def test_what_is_told_of_a_stranger_names_its_address_and_its_fault(door: Door) -> None:
    be_rude(door, door.knock())
    [(action, fields)] = door.reports
    assert action == "connection.refused"
    assert fields == {
        "level": "warning",
        "address": "unknown",
        "error": "this is tq's port, it speaks no HTTP",
    }
