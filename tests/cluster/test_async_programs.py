"""A program with an event loop asks for everything about its tasks without blocking it."""

from __future__ import annotations

import asyncio

import pytest
import tq

from .conftest import Cluster


def test_everything_about_a_task_is_asked_without_blocking(cluster: Cluster) -> None:
    async def main() -> None:
        app = cluster.app
        handle = await app.named("cluster_tasks:fail", retries=0).asubmit("no")
        error = await handle.aexception(20)
        assert isinstance(error, tq.TaskError)
        assert await handle.astate() == "failed"
        again = await app.aget(handle.id)
        assert (await again.astate(), await again.aprogress()) == ("failed", None)
        assert [one.error for one in await again.aattempts()] == ["LookupError: no"]
        assert "it failed" in await again.awhy()
        assert await again.aretry() == "ready"
        assert isinstance(await again.aexception(20), tq.TaskError)
        with pytest.raises(tq.UnknownTask):
            await app.aget("019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b")
        later = await app.named("cluster_tasks:add", delay=60).asubmit(1, 2)
        with pytest.raises(TimeoutError, match="it waits"):
            await later.aexception(0.6)
        assert await later.acancel() == "cancelled"

    asyncio.run(main())
