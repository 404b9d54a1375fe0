"""The file that keeps space for the time when the disk is full."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.master.store import reserve
from tq.master.store.reserve import RESERVE_BYTES, RESERVE_FILE, ReserveFile


@pytest.fixture
def made(tmp_path: Path) -> ReserveFile:
    made = ReserveFile(tmp_path)
    made.make()
    return made


def test_it_takes_its_space_at_once_and_is_its_users_alone(made: ReserveFile, tmp_path: Path) -> None:
    status = (tmp_path / RESERVE_FILE).stat()
    assert status.st_size == RESERVE_BYTES
    assert status.st_blocks * 512 >= RESERVE_BYTES
    assert status.st_mode & 0o777 == 0o600


def test_it_is_released_once_and_made_again(made: ReserveFile, tmp_path: Path) -> None:
    assert made.release()
    assert not made.release()
    assert not (tmp_path / RESERVE_FILE).exists()
    assert made.restore()
    assert made.restore()
    assert (tmp_path / RESERVE_FILE).stat().st_size == RESERVE_BYTES


def test_one_that_is_there_stays(made: ReserveFile, tmp_path: Path) -> None:
    before = (tmp_path / RESERVE_FILE).stat().st_mtime_ns
    ReserveFile(tmp_path).make()
    assert (tmp_path / RESERVE_FILE).stat().st_mtime_ns == before


def test_a_small_disk_is_not_full_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReserveFile, "_free", lambda self: 80_000)
    ReserveFile(tmp_path).make()
    assert (tmp_path / RESERVE_FILE).stat().st_size == 80_000 // reserve.SHARE


def test_it_is_not_made_again_before_there_is_room_for_as_much_besides(
    made: ReserveFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.release()
    monkeypatch.setattr(ReserveFile, "_free", lambda self: 2 * RESERVE_BYTES - 1)
    assert not made.restore()
    assert not (tmp_path / RESERVE_FILE).exists()


def test_one_that_was_made_on_a_nearly_full_disk_grows_at_a_start_with_more_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReserveFile, "_free", lambda self: 80_000)
    ReserveFile(tmp_path).make()
    monkeypatch.setattr(ReserveFile, "_free", lambda self: 100 * RESERVE_BYTES)
    ReserveFile(tmp_path).make()
    assert (tmp_path / RESERVE_FILE).stat().st_size == RESERVE_BYTES


def test_a_master_that_begins_on_a_full_disk_accepts_nothing_new_before_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 0
    monkeypatch.setattr(ReserveFile, "_free", lambda self: free)
    made = ReserveFile(tmp_path)
    made.make()
    made.release()
    assert not made.restore()
    free = 2 * reserve.LEAST_BYTES - 1
    assert not made.restore()
    free = 100 * RESERVE_BYTES
    assert made.restore()
    assert (tmp_path / RESERVE_FILE).stat().st_size == RESERVE_BYTES
