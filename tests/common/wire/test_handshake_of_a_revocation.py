"""Leaves that are revoked travel in WELCOME; where there are none, it is what it was."""

from __future__ import annotations

import pytest
from tq.common.auth.revoked import REVOKED_MAX, Revocation
from tq.common.domain.shards import SHARDS_MAX
from tq.common.errors import ProtocolError
from tq.common.wire.frames import pack, unpack
from tq.common.wire.handshake import ServerHandshake

from .test_handshake import CERTIFICATE, CLUSTER, WELCOME, Talk, counted

LIST = [Revocation(bytes([number]) * 16, 1_700_000_000 + number) for number in range(3)]


def talk_of(revoked: list[Revocation], shards: int = 1) -> Talk:
    talk = Talk(shards=shards, random=counted())
    known = {verifier.key_id: verifier for verifier in talk.verifiers}
    talk.server = ServerHandshake(
        lookup=lambda key_id, shard: known.get(key_id),
        cluster_id=CLUSTER,
        certificate=CERTIFICATE,
        heartbeat_seconds=5.0,
        frame_bytes_max=2**24,
        version="test",
        random=talk.random,
        shards=shards,
        revoked=lambda shard: revoked,
    )
    return talk


@pytest.mark.parametrize("shards", [1, 2, SHARDS_MAX])
def test_who_is_welcomed_learns_what_is_revoked(shards: int) -> None:
    welcome = talk_of(LIST, shards).run()
    assert (welcome.revoked, welcome.shards) == (LIST, shards)
    assert talk_of(LIST * (REVOKED_MAX // 3), shards).run().revoked == LIST * (REVOKED_MAX // 3)


@pytest.mark.parametrize("shards", [1, 2])
def test_with_nothing_revoked_no_byte_is_another(shards: int) -> None:
    talk = talk_of([], shards)
    assert talk.run().revoked == ()
    assert len(unpack(unpack(talk.messages[WELCOME])[1])) == (4 if shards == 1 else 5)


def test_what_was_revoked_since_hello_is_said() -> None:
    revoked: list[Revocation] = []
    talk = talk_of(revoked)
    challenge = talk.server.on_hello(talk.client.hello())
    proof = talk.client.on_challenge(challenge)
    revoked += LIST
    assert talk.client.on_welcome(talk.server.on_proof(proof)[1]).revoked == LIST


@pytest.mark.parametrize(
    "more", [[1], [0], [True], [1, []], [1, [[b"short", 1]]], [1, 5], [2, [[b"d" * 16, 1]], 3]]
)
def test_settings_of_another_form_are_refused(more: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    talk = talk_of([])
    proof = talk.client.on_challenge(talk.server.on_hello(talk.client.hello()))
    monkeypatch.setattr(
        "tq.common.wire.handshake.pack",
        lambda value: pack([*value, *more] if isinstance(value[0], bytes) and len(value[0]) == 16 else value),
    )
    with pytest.raises(ProtocolError, match="settings have an unknown form"):
        talk.client.on_welcome(talk.server.on_proof(proof)[1])
