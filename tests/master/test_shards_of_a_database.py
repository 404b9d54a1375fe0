"""One master over a database of several shards: how many is written once, all are opened and released, and one that is missing was lost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.checkup import Checkup
from tq.common.runtime.config import MasterSettings
from tq.master.app import Opening, open_resources
from tq.master.check_shards import check_number_of_database
from tq.master.store.interface.store import OwnedElsewhere

from tests.postgres import PostgresServer

from .conftest import SHARDS

Row = tuple[Any, ...]


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    """Of a database of this test's own."""
    return postgres.create(f"several_{next(SHARDS)}")


def settings(data: Path, url: str, shards: int | None = None) -> MasterSettings:
    return MasterSettings(data=data, store=url, shards=shards)


def start(data: Path, url: str, shards: int | None = None) -> list[int]:
    """Open all, close all; the shards that were hosted."""
    resources = open_resources(Opening(settings(data, url, shards), None, ignore))
    found = [shard.engine.core.shard for shard in resources.shards]
    assert resources.close() is None
    assert {one.of for one in found} == {len(found)}
    return [one.number for one in found]


def ignore(action: str, **_: object) -> None:
    """A log for which no one waits."""


def ask(url: str, sql: str) -> list[Row]:
    import psycopg

    with psycopg.connect(url, autocommit=True, options="-c search_path=tq") as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def test_the_number_of_a_database_is_written_once_and_another_is_refused(url: str, tmp_path: Path) -> None:
    assert start(tmp_path / "state", url, 3) == [0, 1, 2]
    assert start(tmp_path / "state", url) == [0, 1, 2]
    with pytest.raises(ConfigError, match="has 3 shards, and --shards says 4"):
        start(tmp_path / "state", url, 4)
    rows = ask(url, "SELECT shard, until IS NULL FROM shards ORDER BY shard")
    assert rows == [(0, True), (1, True), (2, True)], "all were released"


def test_a_shard_whose_owner_has_not_quite_ended_is_waited_for(url: str, tmp_path: Path) -> None:
    start(tmp_path / "state", url, 2)
    ask(url, "UPDATE shards SET owner = 'a:1:x', until = clock_timestamp() + '1 hour' WHERE shard = 1")
    ends = threading.Timer(1.0, ask, [url, "UPDATE shards SET until = NULL WHERE shard = 1"])
    ends.start()
    assert start(tmp_path / "state", url) == [0, 1]
    ends.join()


def test_a_master_that_does_not_get_all_shards_releases_those_it_has(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(tmp_path / "state", url, 2)
    ask(url, "UPDATE shards SET owner = 'a:1:x', until = clock_timestamp() + '1 hour' WHERE shard = 1")
    monkeypatch.setattr("tq.master.shards_of_a_database.OTHERS_SECONDS_MAX", 0.0)
    with pytest.raises(OwnedElsewhere, match=r"another master \(a:1:x\) owns shard 1"):
        start(tmp_path / "state", url)
    assert ask(url, "SELECT until IS NULL FROM shards WHERE shard = 0") == [(True,)]


def test_a_shard_without_rows_is_missed_in_a_database_that_had_them(url: str, tmp_path: Path) -> None:
    start(tmp_path / "state", url, 2)
    for table in ("shards", "meta"):
        ask(url, f"DELETE FROM {table} WHERE shard = 1")  # noqa: S608 - two names
    with pytest.raises(ConfigError, match="has no rows of shard 1 of the 2 of this cluster, and had them"):
        start(tmp_path / "state", url)


@pytest.mark.parametrize(
    ("given", "recorded", "text"),
    [
        (None, b"3", "3 shards"),
        (4, b"3", "has 3 shards, and --shards says 4"),
        (2, None, "has 1 shard, and --shards says 2"),
        (None, b"many", "which is no number of them"),
    ],
)
def test_a_check_says_how_many_a_database_has(given: int | None, recorded: bytes | None, text: str) -> None:
    found = Checkup()
    check_number_of_database(found, MasterSettings(shards=given), True, recorded, "the database")
    assert text in "\n".join(str(one) for one in found.findings)
    assert found.failed is (text != "3 shards")


def test_a_check_of_a_new_database_says_what_will_be_made() -> None:
    found = Checkup()
    check_number_of_database(found, MasterSettings(shards=3), False, None, "the database")
    assert "3 shards, all of them will be made" in "\n".join(str(one) for one in found.findings)
