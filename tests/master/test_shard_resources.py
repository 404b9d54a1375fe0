"""What one shard of a process owns: a directory of its own, and in shard 0 what is there once."""

from __future__ import annotations

from pathlib import Path

from tq.common.domain.shards import Shard
from tq.common.runtime.config import MasterSettings
from tq.master.api.shards import ShardRegistry
from tq.master.shard_resources import build_shard, open_store, settings_of
from tq.master.store.cluster_files import DEFAULT_START
from tq.master.store.directory_lock import holder


def test_a_shards_settings_are_the_clusters_in_a_directory_of_its_own() -> None:
    settings = MasterSettings(data=Path("state"), lease_seconds=30.0)
    assert settings_of(settings, 0) is settings
    other = settings_of(settings, 7)
    assert (other.data, other.lease_seconds) == (Path("state/shards/7"), 30.0)


def test_a_users_own_objects_are_exposed_by_shard_0_alone(tmp_path: Path) -> None:
    settings = MasterSettings(
        data=tmp_path / "state", durability="memory", expose={"get_counter": "collections:Counter"}
    )
    served = []
    for number in (0, 1):
        opened = open_store(
            settings_of(settings, number), ignore, DEFAULT_START, lambda reason: None, own_keys=False
        )
        shard = build_shard(opened, Shard(number, 2), ignore)
        assert isinstance(shard.registry, ShardRegistry)
        served.append("get_counter" in shard.registry._factories)
        assert holder(shard.settings.data) is not None
        assert opened.close() is None
        assert holder(shard.settings.data) is None
    assert served == [True, False]


def ignore(action: str, **_: object) -> None:
    """A log for which no one waits."""
