"""A shard that comes and goes while its master runs: what becomes of the others, and of one that cannot be opened."""

from __future__ import annotations

import errno
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tq.master.store.postgres import working_copy

from .sharing_masters import SHARDS, Cluster, run

pytestmark = pytest.mark.timeout(120)


def test_one_that_loses_a_shard_goes_on_with_the_others(cluster: Cluster) -> None:
    async def story() -> None:
        async with cluster.master("a").running() as a:
            others = {shard: a.hosted.servers[shard] for shard in (0, 1, 3)}
            cluster.ask("UPDATE shards SET owner = 'c:1:x', epoch = epoch + 1, until = NULL WHERE shard = 2")
            await a.until(lambda: "shard.lost" in [action for action, _ in a.said])
            [fields] = [fields for action, fields in a.said if action == "shard.lost"]
            assert fields["shard"] == 2
            assert "c:1:x has taken over shard 2" in fields["reason"]
            await a.until(lambda: a.shards == [0, 1, 2, 3])
            assert {shard: a.hosted.servers[shard] for shard in others} == others

    run(story())


def test_a_shard_that_a_master_has_by_the_name_of_its_owner_alone_is_served(cluster: Cluster) -> None:
    """As in a database that went back to a term that is over."""

    async def story() -> None:
        async with cluster.master("a").running() as a:
            assert a.shards == [0, 1, 2, 3]
            await a.end()
        cluster.ask(
            "UPDATE shards SET owner = 'a:1-x:of-before', until = clock_timestamp() + interval '1 hour' WHERE shard = 2"
        )
        async with cluster.master("a").running() as a:
            await a.until(lambda: a.shards == [0, 1, 2, 3])

    run(story())


def test_a_shard_that_was_claimed_and_cannot_be_opened_goes_to_a_master_that_can(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = working_copy.keep_owner

    def has_room(folder: Path, owner: str) -> None:
        if "no-room" in folder.parts:
            raise OSError(errno.ENOSPC, "No space left on device")
        keep(folder, owner)

    async def story() -> None:
        async with AsyncExitStack() as stack:
            a = await stack.enter_async_context(cluster.master("a").running())
            b = await stack.enter_async_context(cluster.master("no-room").running())
            monkeypatch.setattr(working_copy, "keep_owner", has_room)
            await a.until(lambda: len(a.shards) == SHARDS - 1)
            await b.until(lambda: "shard.not_taken" in [action for action, _ in b.said])
            assert cluster.ask("SELECT count(*) FROM masters WHERE id LIKE 'no-room:%'") == [(1,)]
            await a.until(lambda: a.shards == [0, 1, 2, 3])
            assert b.shards == []

    run(story())


def test_one_that_cannot_open_a_shard_says_why_and_leaves_it_to_the_others(cluster: Cluster) -> None:
    async def story() -> None:
        async with AsyncExitStack() as stack:
            b = cluster.master("full")
            (b.settings.data / "shards").write_text("no directory")
            await stack.enter_async_context(b.running())
            await b.until(lambda: b.shards == [0])
            reasons = [fields["error"] for action, fields in b.said if action == "shard.not_taken"]
            assert len(reasons) == SHARDS - 1
            assert str(b.settings.data / "shards") in reasons[0]
            a = await stack.enter_async_context(cluster.master("a").running())
            await a.until(lambda: a.shards == [1, 2, 3])

    run(story())
