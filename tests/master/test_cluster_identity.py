"""What makes the shards of a cluster one: each has its id, its certificate and its keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.master.app import Opening, open_resources
from tq.master.keys.keyring import Keyring


def ignore(action: str, **_: object) -> None:
    """A log for which no one waits."""


def test_all_shards_have_one_id_one_certificate_and_the_same_keys(tmp_path: Path) -> None:
    resources = open_resources(Opening(MasterSettings(data=tmp_path / "data", shards=3), None, ignore))
    facts = [shard.engine.facts for shard in resources.shards]
    keys = [shard.engine.part(Keyring).stored() for shard in resources.shards]
    pins = {shard.engine.part(Keyring).pin for shard in resources.shards}
    resources.close()
    assert {(one["cluster_id"], one["certificate"]) for one in facts} == {
        (resources.cluster_id.hex(), pin.hex()) for pin in pins
    }
    assert [(one["shard"], one["shards"]) for one in facts] == [(0, 3), (1, 3), (2, 3)]
    assert len({tuple((key.key_id, key.stored_key) for key in some) for some in keys}) == 1


def test_a_store_of_another_cluster_is_refused(tmp_path: Path) -> None:
    for name in ("one", "other"):
        open_resources(Opening(MasterSettings(data=tmp_path / name, shards=2), None, ignore)).close()
    (tmp_path / "one" / "shards" / "1").rename(tmp_path / "away")
    (tmp_path / "other" / "shards" / "1").rename(tmp_path / "one" / "shards" / "1")
    with pytest.raises(ConfigError, match="is of another cluster than the shard 0 beside it"):
        open_resources(Opening(MasterSettings(data=tmp_path / "one"), None, ignore))


def test_the_quota_of_an_authkey_is_kept_by_the_starts_that_bring_the_key(tmp_path: Path) -> None:
    settings, key = MasterSettings(data=tmp_path / "data", shards=2), "correct horse battery staple"
    resources = open_resources(Opening(settings, key, ignore))
    for shard in resources.shards:
        shard.engine.store.begin()
        shard.engine.part(Keyring).set_quota("authkey", {"max_queued": 40})
        shard.engine.store.commit()
    resources.close()
    again = open_resources(Opening(settings, key, ignore))
    quotas = [shard.engine.part(Keyring).quota_of("authkey") for shard in again.shards]
    again.close()
    assert [(one.whole.max_queued, one.quota.max_queued) for one in quotas] == [(40, 20), (40, 20)]
