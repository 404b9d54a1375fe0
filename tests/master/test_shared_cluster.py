"""Which masters share the shards of a database, and which take all or none; and what one has to know of the cluster to open a shard."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.master.app import Opening, open_resources
from tq.master.keys.keyring import Keyring
from tq.master.shared_cluster import SharedCluster, enter
from tq.master.store.cluster_files import DEFAULT_START, StartOptions

from tests.postgres import PostgresServer

from .conftest import SHARDS as NUMBERS
from .sharing_masters import SHARDS, Cluster

pytestmark = pytest.mark.timeout(120)


def ignore(action: str, **_: object) -> None:
    """A log for which no one waits."""


def entered(settings: MasterSettings, start: StartOptions = DEFAULT_START) -> SharedCluster | None:
    found = enter(settings, None, ignore, start)
    if found is not None:
        found.lock.release(closed=True)
    return found


def test_a_database_of_one_shard_or_of_none_is_not_shared(postgres: PostgresServer, tmp_path: Path) -> None:
    settings = MasterSettings(data=tmp_path / "a", store=postgres.create(f"one_{next(NUMBERS)}"))
    assert entered(settings) is None
    open_resources(Opening(settings, None, ignore)).close()
    assert entered(settings) is None
    assert entered(MasterSettings(data=tmp_path / "b")) is None, "it has none"


def test_only_a_master_of_its_certificate_shares_and_only_by_its_number_of_shards(cluster: Cluster) -> None:
    found = entered(cluster.settings("a"))
    assert found is not None
    assert found.count == SHARDS
    assert entered(cluster.settings("a"), StartOptions(new_certificate=True)) is None
    assert entered(cluster.settings("stranger")) is None
    with pytest.raises(ConfigError, match="has 4 shards, and --shards says 8"):
        entered(cluster.settings("a", shards=8))


def test_a_shard_has_the_keys_of_the_first_but_one_that_was_revoked_in_it_stays_so(cluster: Cluster) -> None:
    """Who revokes a key may have reached this shard, and not the first one yet."""
    found = enter(cluster.settings("a"), None, ignore, DEFAULT_START)
    assert found is not None
    try:
        shard = found.open(2, ignore)
        keys = [key.key_id for key in shard.engine.part(Keyring).stored()]
        shard.opened.close()
        assert len(keys) == 3
        assert keys == [id for (id,) in cluster.ask("SELECT id FROM keys WHERE shard = 0 ORDER BY id")]
        cluster.ask(f"UPDATE keys SET state = 'revoked' WHERE shard = 2 AND id = '{keys[0]}'")  # noqa: S608
        cluster.ask(f"DELETE FROM keys WHERE shard = 2 AND id = '{keys[1]}'")  # noqa: S608
        cluster.ask("UPDATE shards SET last_commit = last_commit + 1 WHERE shard = 2")
        shard = found.open(2, ignore)
        states = [key.state for key in shard.engine.part(Keyring).stored()]
        shard.opened.close()
        assert sorted(states) == ["active", "active", "revoked"]
    finally:
        found.lock.release(closed=True)
        cluster.ask(f"UPDATE keys SET state = 'active' WHERE shard = 2 AND id = '{keys[0]}'")  # noqa: S608
