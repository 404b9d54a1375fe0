"""Which files mean new code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tq.common.runtime import sources
from tq.common.runtime.sources import Sources, differences


def write(file: Path, text: str = "") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def test_python_files_below_the_directory_count_and_nothing_that_is_installed_or_hidden(
    tmp_path: Path,
) -> None:
    mine = [write(tmp_path / name) for name in ("a.py", "package/b.py", "package/deep/c.py")]
    for name in ("a.txt", ".hidden/x.py", "__pycache__/x.py", "node_modules/x.py", "lib/site-packages/x.py"):
        write(tmp_path / name)
    write(tmp_path / "env" / "pyvenv.cfg")
    write(tmp_path / "env" / "lib" / "x.py")
    assert sorted(Sources(tmp_path, []).look()) == sorted(map(str, mine))


def test_a_named_file_elsewhere_counts_with_those_beside_it(tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    named = write(tmp_path / "there" / "jobs.py")
    beside = write(tmp_path / "there" / "helper.py")
    write(tmp_path / "there" / "deep" / "other.py")
    assert sorted(Sources(here, [named]).look()) == [str(beside), str(named)]


def test_new_gone_and_changed_files_are_differences(tmp_path: Path) -> None:
    looker = Sources(tmp_path, [])
    same, changed, gone = (write(tmp_path / f"{name}.py", "1") for name in ("same", "changed", "gone"))
    before = looker.look()
    assert differences(before, looker.look()) == []
    os.utime(changed, ns=(1, 1))
    gone.unlink()
    new = write(tmp_path / "new.py")
    assert differences(before, looker.look()) == sorted(map(str, (changed, gone, new)))
    assert str(same) in before


def test_of_very_many_files_the_nearest_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "ENTRIES_MAX", 10)
    near = write(tmp_path / "jobs.py")
    for number in range(20):
        write(tmp_path / "deep" / f"{number}.py")
    looker = Sources(tmp_path, [])
    seen = looker.look()
    assert str(near) in seen
    assert len(seen) < 10
    assert looker.is_cut


def test_a_link_to_a_directory_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "jobs.py")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(Sources(tmp_path, []).look()) == 1
