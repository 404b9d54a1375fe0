"""A connection from its first byte to its end: places, deadlines, refusals. Real sockets and TLS, a clock by hand."""

from __future__ import annotations

import itertools
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest
from tq.common.contract.exposed import exposed
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, ProtocolError, from_wire
from tq.common.values.codec import encode_call
from tq.common.wire.frames import HANDSHAKE_FRAME_BYTES_MAX, HEADER, Kind, encode_frame
from tq.common.wire.protocol import PING, Caller, child_word
from tq.master.api.registry import Registry
from tq.master.net.admission import (
    HANDSHAKE_SECONDS_MAX,
    TLS_SECONDS_MAX,
)
from tq.master.parts import EXPOSED

from tests.master.net.door import FRAME_BYTES_MAX, HEARTBEAT, SECONDS_MAX, SILENCE, Door, Peer

from ..conftest import GRACE_MS


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
    door.server.registry = Registry(bench.engine, EXPOSED, {"get_slow": "slow_of_tests:get_slow"})
    yield made
    made.release.set()


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
