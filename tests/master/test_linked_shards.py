"""Shards as a process has them, linked: what one asks of another is answered, in one process and over the files of two."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.shards import id_in
from tq.common.runtime.config import MasterSettings
from tq.master.app import MasterResources, Opening, open_resources
from tq.master.edges.edges import Edges
from tq.master.linked_shards import LinkedShards, link
from tq.master.net.hosted import HostedShards
from tq.master.process_bells import BellDescriptors, BellPipes
from tq.master.process_place import ProcessPlace

ALL_QUEUES = b""
SECONDS = 30.0


def opened(data: Path, shards: int) -> MasterResources:
    return open_resources(Opening(MasterSettings(data=data, shards=shards), None, lambda *_, **__: None))


async def asks(hosted: HostedShards, shard: int, other: int) -> None:
    """Until it knows that a task which it needs of the other one is not there."""
    server = hosted.servers[shard]
    edges = server.engine.part(Edges)
    before = edges.applied(other)
    needed = IdRun(id_in(new_ids.many(1)[0], other), 1)
    server.transactions.later(lambda: edges.needed(ALL_QUEUES, needed, None))
    async with asyncio.timeout(SECONDS):
        while edges.applied(other) == before:  # noqa: ASYNC110 - it is seen by looking only
            await asyncio.sleep(0)


def run(resources: MasterResources, story: Callable[[HostedShards], Coroutine[Any, Any, None]]) -> None:
    async def hosting() -> None:
        hosted = resources.host(lambda *_, **__: None)
        for server in hosted.servers.values():
            server.wake()
        try:
            await story(hosted)
        finally:
            await hosted.drain()
            hosted.close()

    asyncio.run(hosting())
    assert resources.close() is None


def test_shards_of_one_process_answer_one_another(tmp_path: Path) -> None:
    resources = opened(tmp_path / "data", 2)

    async def story(hosted: HostedShards) -> None:
        links = link(resources, asyncio.get_running_loop(), lambda *_, **__: None)
        assert links is not None
        for number, server in hosted.servers.items():
            links.served(number, server)
        links.begin()
        await asks(hosted, 0, 1)
        await asks(hosted, 1, 0)
        links.close()

    run(resources, story)


def test_shards_of_two_processes_ring_and_read_the_files_of_one_another(tmp_path: Path) -> None:
    resources = opened(tmp_path / "data", 2)
    pipes = BellPipes(2)

    def process(number: int) -> LinkedShards:
        own, others = pipes.descriptors(number)
        bells = BellDescriptors(os.dup(own), tuple(map(os.dup, others)))
        resources.place = ProcessPlace(number, (1, 2), ("a:1", "a:2"), bells)
        return LinkedShards(resources, asyncio.get_running_loop(), lambda *_, **__: None)

    async def story(hosted: HostedShards) -> None:
        both = [process(number) for number in range(2)]
        for number, links in enumerate(both):
            links.served(number, hosted.servers[number])
            links.begin()
        await asks(hosted, 0, 1)
        await asks(hosted, 1, 0)
        for links in both:
            links.close()

    run(resources, story)
    pipes.close()
    assert not any(log.stat().st_size for log in tmp_path.rglob("*-wal")), "each store was closed whole"


def test_a_cluster_of_one_shard_has_no_links(tmp_path: Path) -> None:
    resources = opened(tmp_path / "data", 1)

    async def story(hosted: HostedShards) -> None:
        assert link(resources, asyncio.get_running_loop(), lambda *_, **__: None) is None

    run(resources, story)
