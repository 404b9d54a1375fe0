"""Keys over several shards: made and changed in all of them, and one row each."""

from __future__ import annotations

import asyncio

import pytest
import tq
from tq.client.core import merges
from tq.common.auth.keys import mint_token

from .test_merges import Answering, merged


def test_a_key_is_made_by_one_shard_and_the_others_are_given_its_token() -> None:
    token = mint_token("0123456789ab", b"s" * 32, b"p" * 32)
    shards = Answering("add", add=[token, "", ""])
    assert asyncio.run(merges.MERGES["key_added"](shards, ("client", ["q*"]))) == token
    first, *others = shards.calls
    assert first == ("add", 0, ("client", ["q*"]))
    assert others == [("add", shard, ("client", ["q*"], "", "", None, token)) for shard in (1, 2)]


def test_a_quota_is_set_by_the_first_shard_before_the_others_which_take_over_what_it_has() -> None:
    shards = Answering("set", set=(None, None, None))
    asyncio.run(merges.MERGES["key_set"](shards, ("acme", {"max_queued": 9})))
    assert [shard for _, shard, _ in shards.calls] == [0, 1, 2]
    shards = Answering("set", set=(tq.InvalidArgument("there is no key 'acme'"), None, None))
    with pytest.raises(tq.InvalidArgument, match="there is no key"):
        asyncio.run(merges.MERGES["key_set"](shards, ("acme", {"max_queued": 9})))
    assert [shard for _, shard, _ in shards.calls] == [0]


def test_a_quota_that_a_shard_did_not_take_is_said_with_those_that_did() -> None:
    shards = Answering("set", set=(None, tq.InvalidArgument("no key"), tq.Unreachable("away")))
    with pytest.raises(tq.Unreachable, match="shard 2: away; it is done in shard 0"):
        asyncio.run(merges.MERGES["key_set"](shards, ("acme", {"max_queued": 9})))
    shards = Answering(
        "set", set=(None, tq.InvalidArgument("no key"), None)
    )  # it takes it over when it starts
    asyncio.run(merges.MERGES["key_set"](shards, ("acme", {"max_queued": 9})))


def test_a_key_is_one_row_with_what_its_tasks_come_to_in_all_shards() -> None:
    row = {
        "id": "acme",
        "state": "active",
        "max_queued": 9,
        "max_queued_bytes": None,
        "queued": 2,
        "queued_bytes": 8,
    }
    other = {**row, "queued": 3, "queued_bytes": 1, "last_used": 9.0}
    [found] = merged("keys", [[{**row, "last_used": None}], [other]])
    assert (found["queued"], found["queued_bytes"], found["last_used"]) == (5, 9, 9.0)
    assert "uneven" not in found
    [found] = merged("keys", [[{**row, "last_used": None}], [{**other, "max_queued": 8}]])
    assert found["max_queued"] == 9
    assert found["uneven"]
