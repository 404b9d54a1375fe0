"""Connections before WELCOME: their places, wrong proofs, and what the log has of them. See ``tests/master/net/test_admission.py``."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from tq.common.domain.model import Role
from tq.common.errors import ProtocolError, Rejected
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

from tests.master.net.door import WRONG, Door, Peer

# places


@pytest.mark.parametrize("there", [UNAUTHENTICATED_PER_ADDRESS_MAX - 1, UNAUTHENTICATED_PER_ADDRESS_MAX])
def test_strangers_past_tls_have_so_many_places_and_no_more(door: Door, there: int) -> None:
    strangers = [door.knock().do_tls() for _ in range(there)]
    assert tries_tls(door).hung_up == (there == UNAUTHENTICATED_PER_ADDRESS_MAX)
    assert not any(stranger.hung_up for stranger in strangers)


def tries_tls(door: Door) -> Peer:
    """One more, which may be hung up on."""
    peer = door.knock()
    with contextlib.suppress(AssertionError, ProtocolError, OSError):
        peer.do_tls()
    return peer


def test_silent_strangers_are_in_nobodys_way(door: Door) -> None:
    silent = [door.knock() for _ in range(4 * UNAUTHENTICATED_PER_ADDRESS_MAX)]
    assert not door.knock().come_in().hung_up
    assert not any(stranger.hung_up for stranger in silent)


def leave(door: Door, peer: Peer) -> None:
    peer.socket.close()
    door.turn()


def be_wrong(door: Door, peer: Peer) -> None:
    peer.prove(WRONG)
    door.at(REFUSAL_DELAY_SECONDS)
    assert peer.hung_up


def be_rude(door: Door, peer: Peer) -> None:
    peer.say(b"GET / HTTP/1.1\r\n\r\n")
    assert peer.hung_up


def be_slow(door: Door, peer: Peer) -> None:
    door.at(HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX)
    assert peer.hung_up


@pytest.mark.parametrize("way", [leave, be_wrong, be_rude, be_slow, lambda door, peer: peer.prove()])
def test_a_place_is_free_again_whichever_way_a_stranger_takes(
    door: Door, way: Callable[[Door, Peer], object]
) -> None:
    first, *_ = [door.knock().do_tls() for _ in range(UNAUTHENTICATED_PER_ADDRESS_MAX)]
    assert tries_tls(door).hung_up
    way(door, first)
    assert not tries_tls(door).hung_up


def test_a_place_is_given_back_once(door: Door) -> None:
    """Coming in gives it back, ending the session afterwards must not do so again."""
    for _ in range(3):
        leave(door, door.knock().come_in())
    strangers = [door.knock().do_tls() for _ in range(UNAUTHENTICATED_PER_ADDRESS_MAX)]
    assert not any(stranger.hung_up for stranger in strangers)
    assert tries_tls(door).hung_up


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


def guess(door: Door, *, times: int = REFUSALS_FREE) -> None:
    for _ in range(times):
        door.knock().do_tls().prove(WRONG)
    door.at(REFUSAL_DELAY_SECONDS)


def test_after_so_many_wrong_proofs_every_challenge_is_slow(door: Door) -> None:
    guess(door)
    slow = door.knock().do_tls()
    slow.do_hello()
    door.at(REFUSAL_DELAY_SECONDS + CHALLENGE_DELAY_SECONDS - 0.125)
    slow.listen()
    assert slow.frames == []
    door.at(REFUSAL_DELAY_SECONDS + CHALLENGE_DELAY_SECONDS)
    slow.listen()
    assert [kind for kind, _ in slow.frames] == [Kind.CHALLENGE]


def test_to_hang_up_before_the_answer_saves_a_guesser_nothing(door: Door) -> None:
    for _ in range(REFUSALS_FREE):
        peer = door.knock().do_tls().prove(WRONG)
        leave(door, peer)
    slow = door.knock().do_tls()
    slow.do_hello()
    assert slow.frames == []


def test_whoever_leaves_with_a_challenge_waits_for_the_next(door: Door) -> None:
    for _ in range(REFUSALS_FREE):
        peer = door.knock().do_tls()
        peer.do_hello()
        leave(door, peer)
    slow = door.knock().do_tls()
    slow.do_hello()
    assert slow.frames == []


def test_whoever_only_looks_whether_the_port_is_open_is_not_slowed(door: Door) -> None:
    """As load balancers do."""
    for way in (lambda: door.knock(), lambda: door.knock().do_tls()):
        for _ in range(2 * REFUSALS_FREE):
            leave(door, way())
    assert not door.knock().come_in().hung_up
