"""The shards of a data directory belong together: none is lost, exchanged or of another cluster in silence, and their number stays."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tq.common.auth.keys import Credential
from tq.common.domain.model import Role
from tq.common.domain.shards import Shard
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.master.app import MasterResources, Opening, open_resources
from tq.master.compact import compact
from tq.master.keys.keyring import Keyring
from tq.master.store.cluster_files import StartOptions, key_file
from tq.master.store.directory_lock import LOCK_FILE
from tq.master.store.shard_files import folder_of, folders_of

from .tasks import QUEUE, TASK, id_of, task


def opened(data: Path, said: list[str] | None = None, **others: Any) -> MasterResources:
    meant = StartOptions(new_store=others.pop("new_store", False))

    def report(action: str, **_: object) -> None:
        if said is not None:
            said.append(action)

    return open_resources(Opening(MasterSettings(data=data, **others), None, report, meant))


def refused(data: Path, **others: Any) -> str:
    with pytest.raises(ConfigError) as error:
        opened(data, **others).close()
    return str(error.value)


def start(data: Path, **others: Any) -> int:
    """A start and an orderly end; how many shards it had."""
    resources = opened(data, **others)
    try:
        assert [shard.engine.core.shard for shard in resources.shards] == [
            Shard(number, len(resources.shards)) for number in range(len(resources.shards))
        ]
        return len(resources.shards)
    finally:
        assert resources.close() is None


@pytest.fixture
def data(tmp_path: Path) -> Path:
    assert start(tmp_path / "state", shards=3) == 3
    return tmp_path / "state"


def test_a_directory_of_one_shard_is_what_it_was_before_there_were_shards(tmp_path: Path) -> None:
    for given in ({}, {"shards": 1}):
        folder = tmp_path / str(len(given))
        assert start(folder, **given) == 1
        assert not (folder / "shards").exists()
        resources = opened(folder)
        resources.store.begin()
        assert resources.store.get_meta("shards") is resources.store.get_meta("shards_made") is None
        resources.store.rollback()
        resources.close()
        assert start(folder) == 1


def test_the_number_of_shards_is_remembered(data: Path) -> None:
    assert start(data) == 3
    assert start(data, shards=3) == 3


@pytest.mark.parametrize("shards", [1, 2, 4, 16])
def test_another_number_later_is_refused_with_what_to_do(data: Path, shards: int) -> None:
    text = refused(data, shards=shards)
    assert f"has 3 shards, and --shards says {shards}" in text
    assert "Leave out --shards" in text


def test_a_store_of_one_shard_does_not_become_one_of_several(tmp_path: Path) -> None:
    start(tmp_path / "state")
    assert "has 1 shard, and --shards says 4" in refused(tmp_path / "state", shards=4)
    assert not (tmp_path / "state" / "shards").exists()


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_a_shard_whose_store_is_gone_is_missed(data: Path, shard: int) -> None:
    folder = folder_of(data, shard)
    (folder / "tq.db").unlink()
    text = refused(data)
    assert f"{folder / 'tq.db'} is missing" in text
    assert "--new-store" in text


def test_a_shard_whose_folder_is_gone_is_missed_until_it_is_said_to_be_new(data: Path) -> None:
    shutil.rmtree(folder_of(data, 2))
    assert "shard 2 of the 3 of this cluster, with its queues and tasks" in refused(data)
    assert start(data, new_store=True) == 3
    assert start(data) == 3


def test_shard_0_can_be_begun_again_with_the_cluster_and_keys_that_the_others_know(data: Path) -> None:
    resources = opened(data)
    cluster = resources.cluster_id
    keys = [shard.engine.part(Keyring) for shard in resources.shards]
    resources.engine.store.begin()
    token = keys[0].add(Role.CLIENT, ["mail"], "", resources.engine.now)
    resources.engine.store.commit()
    store = resources.shards[1].engine.store
    store.begin()
    keys[1].take_over(keys[0].stored())
    route = store.add_route(QUEUE, TASK)
    assert store.insert([task(1, route)])
    store.commit()
    resources.close()
    (data / "tq.db").unlink()
    assert "--new-store" in refused(data)
    assert "has 3 shards, and --shards says 4" in refused(data, shards=4, new_store=True)
    resources = opened(data, new_store=True)
    assert (resources.cluster_id, len(resources.shards)) == (cluster, 3)
    for shard in resources.shards:
        known = shard.engine.part(Keyring).find(Credential.parse(token).key_id)
        assert known is not None
        assert not known.is_revoked
    assert not resources.new_keys
    resources.close()
    resources = opened(data)
    store = resources.shards[1].engine.store
    store.begin()
    assert store.find([id_of(1)])
    store.rollback()
    resources.close()


def test_a_new_store_that_none_is_missing_for_is_refused(data: Path) -> None:
    assert "each of the 3 shards is there" in refused(data, new_store=True)


def test_a_first_start_that_was_cut_short_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the first shards: nothing was accepted, and nothing is missed."""
    data = tmp_path / "state"
    with monkeypatch.context() as patched:
        patched.setattr("tq.master.app.shard_files.all_are_made", stop)
        with pytest.raises(KeyboardInterrupt):
            opened(data, shards=3)
    shutil.rmtree(folder_of(data, 2))
    assert start(data) == 3


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_shards_that_were_exchanged_are_refused(data: Path, tmp_path: Path) -> None:
    folder_of(data, 1).rename(tmp_path / "aside")
    folder_of(data, 2).rename(folder_of(data, 1))
    (tmp_path / "aside").rename(folder_of(data, 2))
    assert "is the store of shard 2/3, in the directory of shard 1" in refused(data)


def test_the_store_of_shard_0_in_the_place_of_another_is_refused(data: Path) -> None:
    shutil.copy(data / "tq.db", folder_of(data, 1) / "tq.db")
    assert "is the store of shard 0, in the directory of shard 1" in refused(data)


def test_a_shard_of_another_cluster_is_refused(data: Path, tmp_path: Path) -> None:
    start(tmp_path / "other", shards=3)
    shutil.copy(folder_of(tmp_path / "other", 1) / "tq.db", folder_of(data, 1) / "tq.db")
    assert "is of another cluster than the shard 0 beside it" in refused(data)


def test_a_start_that_was_refused_leaves_no_trace_of_a_crash(data: Path) -> None:
    refused(data, shards=4)
    said: list[str] = []
    opened(data, said).close()
    assert "store.log_missing" not in said


def test_each_shard_is_locked_by_itself(data: Path) -> None:
    resources = opened(data)
    for shard in range(3):
        assert "open" in (folder_of(data, shard) / LOCK_FILE).read_text()
    assert "another tq-master" in refused(data)
    resources.close()
    for shard in range(3):
        assert "open" not in (folder_of(data, shard) / LOCK_FILE).read_text()


def test_every_shard_has_the_keys_of_the_first_also_those_that_are_made_and_revoked_later(data: Path) -> None:
    resources = opened(data)
    first = resources.engine
    first.store.begin()
    token = first.part(Keyring).add(Role.CLIENT, ["mail"], "", first.now)
    made = Credential.parse(token).key_id
    worker = Credential.parse(key_file(data, Role.WORKER).read_text()).key_id
    first.part(Keyring).revoke(worker, [])
    first.store.commit()
    # One that only another shard knows: it was never the cluster's.
    third = resources.shards[2].engine
    third.store.begin()
    stray = Credential.parse(third.part(Keyring).add(Role.ADMIN, [], "", third.now)).key_id
    third.store.commit()
    resources.close()
    resources = opened(data)
    for shard in resources.shards[1:]:
        keyring = shard.engine.part(Keyring)
        key = keyring.find(made)
        assert key is not None
        assert (key.queues, key.is_revoked) == (("mail",), False)
        revoked = keyring.find(worker)
        assert revoked is not None
        assert revoked.is_revoked
    lost = resources.shards[2].engine.part(Keyring).find(stray)
    assert lost is not None
    assert lost.is_revoked
    resources.close()


def test_what_is_stored_in_a_shard_is_there_and_nowhere_else_after_a_restart(data: Path) -> None:
    resources = opened(data)
    store = resources.shards[1].engine.store
    store.begin()
    route = store.add_route(QUEUE, TASK)
    assert store.insert([task(1, route)])
    store.commit()
    resources.close()
    resources = opened(data)
    found = []
    for shard in resources.shards:
        shard.engine.store.begin()
        found.append(bool(shard.engine.store.find([id_of(1)])))
        shard.engine.store.rollback()
    resources.close()
    assert found == [False, True, False]


def test_a_compaction_is_of_all_shards(data: Path) -> None:
    assert [folder.name for folder in folders_of(data)] == ["state", "1", "2"]
    lines = compact(MasterSettings(data=data)).splitlines()
    assert [line.split(":")[0] for line in lines] == [str(folder / "tq.db") for folder in folders_of(data)]
    assert start(data) == 3


def test_shards_in_memory_are_as_many_as_each_start_says(tmp_path: Path) -> None:
    assert start(tmp_path / "state", shards=3, durability="memory") == 3
    assert start(tmp_path / "state", shards=2, durability="memory") == 2
