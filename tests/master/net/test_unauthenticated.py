"""Connections before WELCOME: their places, wrong proofs, and what the log has of them. See ``tests/master/net/test_admission.py``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from tq.common.domain.model import Role
from tq.common.errors import ProtocolError, Rejected, Unreachable
from tq.common.wire.frames import Kind
from tq.common.wire.protocol import Caller
from tq.master.net.admission import (
    CHALLENGE_DELAY_SECONDS,
    HANDSHAKE_SECONDS_MAX,
    REFUSAL_DELAY_SECONDS,
    REFUSALS_FREE,
    TLS_SECONDS_MAX,
    UNAUTHENTICATED_PER_ADDRESS_MAX,
)

from tests.master.net.harness import WRONG, Peer, ServerHarness

# places


@pytest.mark.parametrize("there", [UNAUTHENTICATED_PER_ADDRESS_MAX - 1, UNAUTHENTICATED_PER_ADDRESS_MAX])
def test_unauthenticated_connections_past_tls_have_so_many_places_and_no_more(
    harness: ServerHarness, there: int
) -> None:
    newcomers = [harness.connect().do_tls() for _ in range(there)]
    assert tries_tls(harness).hung_up == (there == UNAUTHENTICATED_PER_ADDRESS_MAX)
    assert not any(newcomer.hung_up for newcomer in newcomers)


def tries_tls(harness: ServerHarness) -> Peer:
    """One more, which may be hung up on."""
    peer = harness.connect()
    with contextlib.suppress(AssertionError, ProtocolError, Unreachable, OSError):
        peer.do_tls()
    return peer


def test_silent_connections_hold_up_no_others(harness: ServerHarness) -> None:
    silent = [harness.connect() for _ in range(4 * UNAUTHENTICATED_PER_ADDRESS_MAX)]
    assert not harness.connect().admitted().hung_up
    assert not any(newcomer.hung_up for newcomer in silent)


def leave(harness: ServerHarness, peer: Peer) -> None:
    peer.socket.close()
    harness.turn()


def be_wrong(harness: ServerHarness, peer: Peer) -> None:
    peer.prove(WRONG)
    harness.at(REFUSAL_DELAY_SECONDS)
    assert peer.hung_up


def be_rude(harness: ServerHarness, peer: Peer) -> None:
    peer.say(b"GET / HTTP/1.1\r\n\r\n")
    assert peer.hung_up


def be_slow(harness: ServerHarness, peer: Peer) -> None:
    harness.at(HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX)
    assert peer.hung_up


@pytest.mark.parametrize("way", [leave, be_wrong, be_rude, be_slow, lambda harness, peer: peer.prove()])
def test_a_place_is_free_again_however_its_connection_ends(
    harness: ServerHarness, way: Callable[[ServerHarness, Peer], object]
) -> None:
    first, *_ = [harness.connect().do_tls() for _ in range(UNAUTHENTICATED_PER_ADDRESS_MAX)]
    assert tries_tls(harness).hung_up
    way(harness, first)
    assert not tries_tls(harness).hung_up


def test_a_place_is_given_back_once(harness: ServerHarness) -> None:
    """Coming in gives it back, ending the session afterwards must not do so again."""
    for _ in range(3):
        leave(harness, harness.connect().admitted())
    newcomers = [harness.connect().do_tls() for _ in range(UNAUTHENTICATED_PER_ADDRESS_MAX)]
    assert not any(newcomer.hung_up for newcomer in newcomers)
    assert tries_tls(harness).hung_up


# refusals


def test_a_wrong_proof_is_answered_after_a_uniform_delay(harness: ServerHarness) -> None:
    peer = harness.connect().do_tls().prove(WRONG)
    harness.at(REFUSAL_DELAY_SECONDS - 0.125)
    assert peer.refusal is None
    assert not peer.hung_up
    harness.at(REFUSAL_DELAY_SECONDS)
    assert isinstance(peer.refusal, Rejected)
    assert peer.hung_up


def test_a_right_proof_for_another_role_is_refused_alike_and_says_which_key_is_needed(
    harness: ServerHarness,
) -> None:
    peer = harness.connect().do_tls().prove(role=Role.WORKER)
    assert peer.refusal is None
    harness.at(REFUSAL_DELAY_SECONDS)
    assert isinstance(peer.refusal, Rejected)
    assert "this key is a client key and cannot be used as worker" in str(peer.refusal)


def test_nothing_that_comes_after_a_wrong_proof_is_listened_to(harness: ServerHarness) -> None:
    peer = harness.connect().do_tls().prove(WRONG)
    _, call = Caller().call(["get_master"], "info", [], {})
    peer.say(call)
    harness.at(REFUSAL_DELAY_SECONDS)
    assert isinstance(peer.refusal, Rejected)
    assert [kind for kind, _ in peer.frames] == [Kind.CHALLENGE, Kind.REFUSED]


def guess(harness: ServerHarness, *, times: int = REFUSALS_FREE) -> None:
    for _ in range(times):
        harness.connect().do_tls().prove(WRONG)
    harness.at(REFUSAL_DELAY_SECONDS)


def test_after_so_many_wrong_proofs_every_challenge_is_slow(harness: ServerHarness) -> None:
    guess(harness)
    slow = harness.connect().do_tls()
    slow.do_hello()
    harness.at(REFUSAL_DELAY_SECONDS + CHALLENGE_DELAY_SECONDS - 0.125)
    slow.listen()
    assert slow.frames == []
    harness.at(REFUSAL_DELAY_SECONDS + CHALLENGE_DELAY_SECONDS)
    slow.listen()
    assert [kind for kind, _ in slow.frames] == [Kind.CHALLENGE]


def test_to_hang_up_before_the_answer_saves_a_guesser_nothing(harness: ServerHarness) -> None:
    for _ in range(REFUSALS_FREE):
        peer = harness.connect().do_tls().prove(WRONG)
        leave(harness, peer)
    slow = harness.connect().do_tls()
    slow.do_hello()
    assert slow.frames == []


def test_an_address_that_leaves_with_a_challenge_waits_for_the_next(harness: ServerHarness) -> None:
    for _ in range(REFUSALS_FREE):
        peer = harness.connect().do_tls()
        peer.do_hello()
        leave(harness, peer)
    slow = harness.connect().do_tls()
    slow.do_hello()
    assert slow.frames == []


def test_an_address_that_only_looks_whether_the_port_is_open_is_not_slowed(harness: ServerHarness) -> None:
    """As load balancers do."""
    for way in (lambda: harness.connect(), lambda: harness.connect().do_tls()):
        for _ in range(2 * REFUSALS_FREE):
            leave(harness, way())
    assert not harness.connect().admitted().hung_up
