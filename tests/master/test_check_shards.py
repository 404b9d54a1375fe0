"""``tq-master check`` of several shards: what a start would refuse is said, and nothing is changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tq.common.runtime.checkup import Checkup
from tq.common.runtime.config import MasterSettings
from tq.master.app import Opening, open_resources
from tq.master.check_shards import check_shards
from tq.master.store.cluster_files import DEFAULT_START, StartOptions
from tq.master.store.shard_files import folder_of
from tq.master.store.sqlite.inspection import VERSION_OFFSET, inspect
from tq.master.store.sqlite.store import newest_schema


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("made") / "state"
    open_resources(Opening(MasterSettings(data=data, shards=3), None, lambda action, **_: None)).close()
    return data


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "state"))


def found(data: Path, shards: int | None = None, start: StartOptions = DEFAULT_START) -> Checkup:
    first = inspect(data / "tq.db").facts
    assert first is not None
    checkup = Checkup()
    check_shards(checkup, MasterSettings(data=data, shards=shards), start, first, newest_schema())
    return checkup


def said(checkup: Checkup) -> str:
    return "\n".join(str(one) for one in checkup.findings)


def test_shards_that_are_all_well_are_one_line(data: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in data.rglob("*") if file.is_file()}
    checkup = found(data)
    assert not checkup.failed
    assert "3 shards, each of them whole" in said(checkup)
    assert {file: file.stat().st_mtime_ns for file in data.rglob("*") if file.is_file()} == before


def test_another_number_than_that_of_the_store_is_refused(data: Path) -> None:
    assert "has 3 shards, and --shards says 4" in said(found(data, shards=4))


def test_a_shard_that_is_gone_is_missed_unless_it_is_to_be_a_new_one(data: Path) -> None:
    shutil.rmtree(folder_of(data, 1))
    assert "shard 1 of the 3" in said(found(data))
    checkup = found(data, start=StartOptions(new_store=True))
    assert not checkup.failed
    assert "1 of them will be made" in said(checkup)


def test_shards_that_were_exchanged_are_seen(data: Path) -> None:
    shutil.copy(folder_of(data, 2) / "tq.db", folder_of(data, 1) / "tq.db")
    assert "is the store of shard 2/3, in the directory of shard 1" in said(found(data))


def test_a_damaged_shard_is_named(data: Path) -> None:
    file = folder_of(data, 2) / "tq.db"
    file.write_bytes(b"no store at all" * 100)
    assert f"{file} is not a store of tq" in said(found(data))


def test_a_shard_of_a_newer_version_is_named(data: Path) -> None:
    file = folder_of(data, 2) / "tq.db"
    with file.open("r+b") as store:
        store.seek(VERSION_OFFSET)
        store.write((newest_schema() + 1).to_bytes(4, "big"))
        os.fsync(store.fileno())
    assert "start the newer one that wrote it" in said(found(data))
