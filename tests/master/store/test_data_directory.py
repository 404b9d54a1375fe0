"""Whose the data directory has to be, and which file in it a lock is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tq.common.errors import ConfigError
from tq.master.store.data_directory import fault, make_directory
from tq.master.store.directory_lock import LOCK_FILE, DataLock, holder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists instead of modes")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives a file to another user"
)
ANOTHER_USER = 12_345


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_directory_that_others_may_write_to_is_refused_with_the_line_to_run(
    tmp_path: Path, mode: int
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(mode)
    with pytest.raises(ConfigError, match=f"others may write to .* run: chmod go-w {data}"):
        make_directory(data)
    assert list(data.iterdir()) == []
    data.chmod(0o755)  # as the line does
    make_directory(data)


def test_a_directory_is_made_for_its_owner_only(tmp_path: Path) -> None:
    make_directory(tmp_path / "new" / "data")
    assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700


def test_a_directory_above_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    problem = fault(shared / "deep" / "data")
    assert problem is not None
    assert f"run: chmod o-w {shared}" in problem
    shared.chmod(0o1777)  # as /tmp: what stands there can be renamed by its owner only
    assert fault(shared / "deep" / "data") is None


def test_a_link_is_judged_by_where_it_leads_too(tmp_path: Path) -> None:
    shared, link = tmp_path / "shared", tmp_path / "link"
    (shared / "data").mkdir(parents=True)
    shared.chmod(0o777)
    link.symlink_to(shared / "data")
    assert fault(link) is not None
    shared.chmod(0o755)
    assert fault(link) is None


def test_a_volume_that_belongs_to_a_group_may_hold_a_data_directory(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o2775)  # as Kubernetes mounts one
    assert fault(volume / "state") is None
    assert fault(volume) is not None


@as_root
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    os.chown(data, ANOTHER_USER, -1)
    problem = fault(data)
    assert problem is not None
    assert f"belongs to user {ANOTHER_USER}" in problem
    assert f"chown -R 0 {data}" in problem


@as_root
def test_a_directory_that_another_user_made_in_a_shared_one_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "shared" / "theirs"
    theirs.mkdir(parents=True)
    (tmp_path / "shared").chmod(0o1777)
    os.chown(theirs, ANOTHER_USER, -1)
    problem = fault(theirs / "data")
    assert problem is not None
    assert f"{theirs} belongs to user {ANOTHER_USER}" in problem


def test_the_lock_follows_no_link_and_its_target_stays_as_it_is(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("not to be lost")
    (tmp_path / LOCK_FILE).symlink_to(precious)
    with pytest.raises(ConfigError, match=f"is a link .* rm {tmp_path / LOCK_FILE}"):
        DataLock(tmp_path)
    assert holder(tmp_path) is None
    (tmp_path / LOCK_FILE).unlink()
    os.link(precious, tmp_path / LOCK_FILE)
    with pytest.raises(ConfigError, match="not a plain file with one name"):
        DataLock(tmp_path)
    assert precious.read_text() == "not to be lost"


def test_a_lock_that_is_a_fifo_does_not_stop_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOCK_FILE)
    with pytest.raises(ConfigError, match="not a plain file with one name"):
        DataLock(tmp_path)


def test_a_lock_names_its_process_also_after_one_with_a_longer_number(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("99999999999")
    lock = DataLock(tmp_path)
    assert holder(tmp_path) == str(os.getpid())
    with pytest.raises(ConfigError, match=rf"process {os.getpid()}\) uses"):
        DataLock(tmp_path)
    lock.release()
    DataLock(tmp_path).release()


def test_a_lock_is_given_back_also_when_its_file_can_no_longer_be_written(tmp_path: Path) -> None:
    lock = DataLock(tmp_path)
    reading = os.open(tmp_path / LOCK_FILE, os.O_RDONLY)
    os.dup2(reading, lock._descriptor)  # writing to it fails, as on a file system that became read-only
    os.close(reading)
    unwritten = lock.release(closed=True)
    assert unwritten is not None
    assert (
        f"cannot write {tmp_path / LOCK_FILE}: Bad file descriptor; what was acknowledged is on disk"
        in unwritten
    )
    again = DataLock(tmp_path)
    assert not again.was_closed
    assert again.release(closed=True) is None
    assert DataLock(tmp_path).was_closed
