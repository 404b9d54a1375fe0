"""The shard that a HELLO names, and how many a WELCOME says there are."""

from __future__ import annotations

import pytest
from tq.common.auth.keys import Verifier, make_token_verifier
from tq.common.domain.model import Role
from tq.common.errors import NotOwner, ProtocolError, WrongShard, from_wire, to_wire
from tq.common.wire.frames import pack, unpack
from tq.common.wire.handshake import ServerHandshake

from .test_handshake import CERTIFICATE, CLUSTER, HELLO, KEY_ID, SECRET, WELCOME, Talk, refusal


def test_in_a_cluster_of_one_shard_every_message_is_what_it_was_before_there_were_shards() -> None:
    talk = Talk()
    assert talk.run().shards == 1
    assert len(unpack(talk.messages[HELLO])) == 5
    assert len(unpack(unpack(talk.messages[WELCOME])[1])) == 4


@pytest.mark.parametrize(("shard", "shards"), [(0, 2), (1, 2), (15, 16), (4095, 4096)])
def test_a_hello_names_its_shard_and_the_welcome_how_many_there_are(shard: int, shards: int) -> None:
    talk = Talk(shard=shard, shards=shards)
    assert talk.run().shards == shards
    assert talk.admitted is not None
    assert talk.admitted.shard == shard
    assert unpack(talk.messages[HELLO])[5:] == ([shard] if shard else [])


@pytest.mark.parametrize(("shard", "shards"), [(1, 1), (2, 2), (4095, 16)])
def test_a_shard_that_the_cluster_does_not_have_is_refused_with_how_many_it_has(
    shard: int, shards: int
) -> None:
    error = refusal(Talk(shard=shard, shards=shards))
    assert str(error) == f"there is no shard {shard} in this cluster: it has {shards}, numbered from 0"


@pytest.mark.parametrize("shard", [-1, 4096, 1.0, True, "1", None, [1]])
def test_a_shard_that_is_no_number_of_one_is_refused_with_the_right_form(shard: object) -> None:
    with pytest.raises(ProtocolError, match=r"a HELLO is \[versions, role, key id"):
        Talk(shards=4096).server.on_hello(pack([*unpack(Talk().client.hello()), shard]))


def test_the_key_is_looked_up_in_the_shard_of_the_hello_each_time() -> None:
    verifier, asked = make_token_verifier(KEY_ID, SECRET, role=Role.CLIENT), list[int]()
    talk = Talk(shard=3, shards=4)

    def lookup(key_id: str, shard: int) -> Verifier:
        asked.append(shard)
        return verifier

    talk.server = ServerHandshake(
        lookup=lookup,
        cluster_id=CLUSTER,
        certificate=CERTIFICATE,
        heartbeat_seconds=5.0,
        frame_bytes_max=2**24,
        random=talk.random,
        shards=4,
    )
    talk.run()
    assert asked == [3, 3]


def test_errors_about_owners_and_shards_keep_their_facts_on_the_wire() -> None:
    wrong = from_wire(unpack(pack(to_wire(WrongShard("the queue 'a' is in shard 2", 2, 0)))))
    assert isinstance(wrong, WrongShard)
    assert (wrong.shard, wrong.here, str(wrong)) == (2, 0, "the queue 'a' is in shard 2")
    owned = from_wire(unpack(pack(to_wire(NotOwner("it is elsewhere", "b:5000")))))
    assert isinstance(owned, NotOwner)
    assert owned.owner == "b:5000"
    for detail in ({}, {"shard": "2", "here": 0}, {"shard": 2}):
        assert isinstance(from_wire(["WrongShard", "no", detail]), WrongShard)
