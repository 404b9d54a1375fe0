"""What ``tq-master compact`` refuses, and what it leaves when it ends too early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings
from tq.master.compact import compact
from tq.master.store.directory_lock import DataLock
from tq.master.store.sqlite import compaction
from tq.master.store.sqlite.store import SqliteStore


@pytest.fixture
def data(tmp_path: Path) -> Path:
    store = SqliteStore(tmp_path / "tq.db")
    store.begin()
    store.set_meta("x", b"1")
    store.commit()
    store.close()
    return tmp_path


def refused(**settings: Any) -> str:
    with pytest.raises(ConfigError) as raised:
        compact(MasterSettings(**settings))
    return str(raised.value)


def test_both_sizes_are_in_the_answer(data: Path) -> None:
    assert "MB before" in compact(MasterSettings(data=data))


def test_a_directory_without_a_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    assert "there is no store" in refused(data=tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_memory_has_nothing_to_compact(tmp_path: Path) -> None:
    assert "durability is memory" in refused(data=tmp_path, durability="memory")


def test_a_directory_that_a_master_uses_is_refused(data: Path) -> None:
    lock = DataLock(data)
    assert "stop it first" in refused(data=data)
    lock.release(closed=True)


def test_a_store_whose_log_was_lost_is_refused(data: Path) -> None:
    DataLock(data).release()  # as a killed master leaves it
    assert "what was accepted last was in it" in refused(data=data)


def test_a_store_counts_as_closed_from_the_moment_that_its_log_is_written(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill from then on must not look like a log that was lost."""
    found: list[str] = []

    def look(copy: Path) -> None:
        found.append((data / "master.lock").read_text().strip())

    monkeypatch.setattr(compaction, "_check", look)
    compact(MasterSettings(data=data))
    assert found[0].isdigit()
    again = DataLock(data)
    assert again.was_closed
    again.release(closed=True)


def test_a_copy_for_which_there_is_no_room_is_not_begun(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "SPARE_BYTES", 2**60)
    before = (data / "tq.db").read_bytes()
    assert "free some space there" in refused(data=data)
    assert (data / "tq.db").read_bytes() == before
    assert not (data / "tq.db.compact").exists()
