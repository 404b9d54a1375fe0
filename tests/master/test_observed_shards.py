"""What is connected to a shard while a process serves it: its metrics, and the end of a master whose certificate is revoked."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tq.common.runtime.config import MasterSettings
from tq.common.runtime.logs import EventLog
from tq.common.wire.address import Address
from tq.master.app import Opening, open_resources
from tq.master.keys.revoked_leaves import RevokedLeaves
from tq.master.observed_shards import ObservedShards

OF_THE_PROCESS = {
    "tq_events",
    "tq_build_info",
    "tq_disk_free_bytes",
    "tq_connections_rejected",
    "tq_loop_lag_seconds",
}


async def labels(observed: ObservedShards) -> dict[str, set[str]]:
    """The shards that each family has samples of."""
    assert observed._metrics is not None
    return {
        family.name: {one.labels.get("shard", "") for one in family.samples}
        for family in await observed._metrics.take()
        if family.samples
    }


def test_each_sample_says_its_shard_and_one_that_has_gone_has_none(tmp_path: Path) -> None:
    log = EventLog("text", threshold="error")
    retired: list[str] = []
    settings = MasterSettings(data=tmp_path / "data", shards=2, http=Address("127.0.0.1", 0))
    resources = open_resources(Opening(settings, None, log.event))

    async def story() -> None:
        hosted = resources.host(log.event)
        observed = ObservedShards(resources, hosted, log, retired.append, None)
        try:
            assert observed.page is not None
            assert (await observed.page()).status == 200
            found = await labels(observed)
            assert found["tq_workers"] == {"0", "1"}
            assert all(found[name] == {""} for name in OF_THE_PROCESS & found.keys())
            observed.left(0)
            found = await labels(observed)
            assert found["tq_workers"] == {"1"}
            assert "tq_build_info" in found
            hosted.servers[1].engine.part(RevokedLeaves).retire("its certificate was revoked")
            assert retired == ["its certificate was revoked"]
        finally:
            await hosted.drain()
            hosted.close()

    asyncio.run(story())
    assert resources.close() is None


def test_without_a_page_nothing_is_counted(tmp_path: Path) -> None:
    log = EventLog("text", threshold="error")
    resources = open_resources(Opening(MasterSettings(data=tmp_path / "data"), None, log.event))

    async def story() -> None:
        hosted = resources.host(log.event)
        observed = ObservedShards(resources, hosted, log, lambda reason: None, None)
        assert (observed.page, observed.on_lag) == (None, None)
        hosted.close()

    asyncio.run(story())
    assert resources.close() is None
