"""Which shards of a real database a master has while others come and go, and what it says of it."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from tq.common.errors import ConfigError, NotOwner
from tq.common.wire.frames import pack
from tq.master.app import Opening, open_master
from tq.master.keys.keyring import Keyring
from tq.master.observe.health import vitals_of

from .sharing_masters import SHARDS, Cluster, run

pytestmark = pytest.mark.timeout(120)


def test_one_that_comes_gets_its_part_and_what_it_has_is_left_to_the_others_when_it_ends(
    cluster: Cluster,
) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            a = await stack.enter_async_context(cluster.master("a").running())
            assert a.shards == [0, 1, 2, 3], "before it says that it has begun"
            b = await stack.enter_async_context(cluster.master("b").running())
            await b.until(lambda: (a.shards, b.shards) == ([0, 1], [2, 3]))
            with pytest.raises(NotOwner) as elsewhere:
                a.hosted.port.in_shard(3)
            assert elsewhere.value.owner == "b.example:5000"
            await a.until(lambda: [one.shards for one in a.sharing.masters()] == [[0, 1], [2, 3]])
            keys = [
                shard.engine.part(Keyring).stored() for shard in (*a.resources.shards, *b.resources.shards)
            ]
            assert len(keys) == SHARDS
            assert len({tuple(sorted(key.key_id for key in some)) for some in keys}) == 1
            await b.end()
            assert cluster.ask("SELECT count(*) FROM masters WHERE id LIKE 'b:%'") == [(0,)]
            await a.until(lambda: a.shards == [0, 1, 2, 3])

    run(story())


@pytest.mark.thorough
def test_one_without_a_shard_is_not_ready_and_says_who_serves(cluster: Cluster) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            a = await stack.enter_async_context(cluster.master("a").running())
            b = await stack.enter_async_context(cluster.master("b").running())
            health = vitals_of(b.hosted.servers, SHARDS, b.sharing.unready)
            assert (b.shards, health.sick()) == ([], [])
            assert health.unready() == ["it stands by: other masters serve the 4 shards of this cluster"]
            await b.until(lambda: b.shards == [2, 3])
            assert health.unready() == []
            assert a.shards == [0, 1]

    run(story())


@pytest.mark.thorough
def test_a_certificate_that_is_revoked_ends_a_master_that_has_no_shard(cluster: Cluster) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            b = await stack.enter_async_context(cluster.master("stolen").running())
            name = b.sharing._leaf.name if b.sharing._leaf else ""
            value = pack([[name, 4_000_000_000]]).hex()
            cluster.ask(f"INSERT INTO meta (shard, name, value) VALUES (0, 'revoked_leaves', '\\x{value}')")  # noqa: S608
            await b.until(lambda: bool(b.retired))
            assert "was revoked" in b.retired

    try:
        run(story())
        with pytest.raises(ConfigError, match="was revoked"):
            open_master(Opening(cluster.settings("stolen"), None, lambda *_, **__: None))
    finally:
        cluster.ask("DELETE FROM meta WHERE name = 'revoked_leaves'")
