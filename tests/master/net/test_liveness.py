"""Silence ends a session, and a peer that has to wait is shown that the master lives. A clock moved by hand."""

from __future__ import annotations

import itertools

from tq.common.wire.frames import HEADER, Kind
from tq.common.wire.protocol import PING

from tests.master.net.harness import FRAME_BYTES_MAX, HEARTBEAT, SILENCE, ServerHarness


def test_a_peer_that_sends_a_long_frame_slowly_gets_a_sign_of_life_each_heartbeat(
    harness: ServerHarness,
) -> None:
    peer = harness.connect().admitted()
    peer.say(HEADER.pack(FRAME_BYTES_MAX, Kind.CALL))
    pongs = []
    for beat in range(1, 9):
        harness.at(HEARTBEAT * beat / 2)
        peer.say(b"part")
        peer.listen()
        pongs.append([kind for kind, _ in peer.frames].count(Kind.PONG))
    assert pongs[-1] - pongs[0] in (3, 4)
    assert max(after - before for before, after in itertools.pairwise(pongs)) == 1


def test_a_session_that_is_silent_for_four_heartbeats_is_ended(harness: ServerHarness) -> None:
    silent, lively = harness.connect().admitted(), harness.connect().admitted()
    harness.at(SILENCE - 0.125)
    lively.say(PING)
    assert lively.frames[-1][0] == Kind.WELCOME
    lively.listen()
    assert lively.frames[-1][0] == Kind.PONG
    assert not silent.hung_up
    harness.at(SILENCE)
    assert silent.hung_up
    assert not lively.hung_up
    harness.at(SILENCE - 0.125 + SILENCE)
    assert lively.hung_up
