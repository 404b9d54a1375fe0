"""A connection from its first byte to its end: places, deadlines, refusals. Real sockets and TLS, a clock by hand."""

from __future__ import annotations

import pytest
from tq.common.errors import ProtocolError
from tq.common.wire.frames import HANDSHAKE_FRAME_BYTES_MAX, HEADER, Kind, encode_frame
from tq.master.net.admission import (
    HANDSHAKE_SECONDS_MAX,
    TLS_SECONDS_MAX,
)

from tests.master.net.harness import ServerHarness

# deadlines


def test_a_silent_connection_is_closed_when_the_time_for_tls_is_over(harness: ServerHarness) -> None:
    peer = harness.connect()
    harness.at(TLS_SECONDS_MAX - 0.125)
    assert not peer.hung_up
    harness.at(TLS_SECONDS_MAX)
    assert peer.hung_up


def test_single_bytes_now_and_then_buy_no_time(harness: ServerHarness) -> None:
    peer = harness.connect()
    hello = peer.tls.take_output()
    for second in range(int(TLS_SECONDS_MAX)):
        harness.at(second)
        peer.send(hello[second : second + 1])
        assert not peer.hung_up
    harness.at(TLS_SECONDS_MAX)
    assert peer.hung_up


def test_tls_at_the_last_moment_leaves_what_is_left_for_the_proof(harness: ServerHarness) -> None:
    peer = harness.connect()
    late = TLS_SECONDS_MAX - 0.125
    harness.at(late)
    peer.do_tls()
    harness.at(TLS_SECONDS_MAX)
    assert not peer.hung_up
    end = late + HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX
    assert end < HANDSHAKE_SECONDS_MAX
    harness.at(end - 0.125)
    assert not peer.hung_up
    harness.at(end)
    assert peer.hung_up


def test_a_hello_or_half_a_proof_buys_no_time(harness: ServerHarness) -> None:
    peer = harness.connect().do_tls()
    peer.do_hello()
    harness.at(HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX - 0.125)
    peer.say(encode_frame(Kind.PROOF, b"x" * 35)[:20])
    assert not peer.hung_up
    harness.at(HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX)
    assert peer.hung_up


def test_an_admitted_connection_is_not_closed_when_the_handshakes_time_is_over(
    harness: ServerHarness,
) -> None:
    peer = harness.connect().admitted()
    harness.at(HANDSHAKE_SECONDS_MAX + 0.125)
    assert not peer.hung_up


@pytest.mark.parametrize(
    ("length", "reason"),
    [
        (HANDSHAKE_FRAME_BYTES_MAX - 1, "not a msgpack value"),
        (HANDSHAKE_FRAME_BYTES_MAX, "not a msgpack value"),
        (HANDSHAKE_FRAME_BYTES_MAX + 1, "a frame of 4,097 bytes was announced, the limit here is 4,096"),
    ],
)
def test_a_frame_before_authentication_has_a_limit(harness: ServerHarness, length: int, reason: str) -> None:
    peer = harness.connect().do_tls()
    peer.say(HEADER.pack(length, Kind.HELLO) + b"\xc1" * min(length, HANDSHAKE_FRAME_BYTES_MAX))
    assert isinstance(peer.refusal, ProtocolError)
    assert reason in str(peer.refusal)
    assert peer.hung_up
