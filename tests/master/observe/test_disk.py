"""The disk is measured really, seldom, and by one at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tq.common.contract.exposed import exposed_methods
from tq.common.domain.model import Role
from tq.master.observe import disk
from tq.master.observe.disk import PROBE_FILE, REST_SECONDS, DiskProbe


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_room_and_fsync_are_measured_and_nothing_is_left(tmp_path: Path) -> None:
    measured = DiskProbe(tmp_path).measure()
    assert 0 < measured["free_bytes"] <= measured["total_bytes"]
    assert 0 < measured["fsync_seconds"] < 60
    assert list(tmp_path.iterdir()) == []


def test_a_viewer_may_ask_and_may_ask_nothing_else() -> None:
    assert exposed_methods(DiskProbe) == {"measure": Role.VIEWER}


def test_it_rests_between_two_measurements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Path] = []
    monkeypatch.setattr(disk, "_fsync_seconds", lambda file: measured.append(file) or 0.001)
    clock = Clock()
    one = DiskProbe(tmp_path, clock)
    assert one.measure() == one.measure()
    clock.now += REST_SECONDS
    one.measure()
    assert measured == [tmp_path / PROBE_FILE] * 2


def test_a_disk_that_hangs_holds_up_one_asker_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs, goes_on = threading.Event(), threading.Event()

    def slow(file: Path) -> float:
        hangs.set()
        assert goes_on.wait(30)
        return 9.0

    monkeypatch.setattr(disk, "_fsync_seconds", slow)
    one = DiskProbe(tmp_path)
    asker = threading.Thread(target=one.measure)
    asker.start()
    assert hangs.wait(30)
    assert one.measure() == {}
    goes_on.set()
    asker.join(30)
    assert one.measure()["fsync_seconds"] == 9.0


def test_a_disk_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert DiskProbe(gone).measure() == {"error": f"{gone}: No such file or directory"}


def test_a_symbolic_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("kept")
    (tmp_path / PROBE_FILE).symlink_to(target)
    assert "symbolic links" in DiskProbe(tmp_path).measure()["error"]
    assert target.read_text() == "kept"
