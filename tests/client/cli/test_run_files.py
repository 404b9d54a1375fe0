"""A file that a run writes belongs to one process at a time, and each refusal names the file and the option that helps."""

from __future__ import annotations

from pathlib import Path

import pytest
from tq.client.cli.run_files import open_run_file
from tq.common.errors import InvalidArgument


def opened(path: Path, *, resumed: bool = False) -> bytes:
    with open_run_file(path, kind="journal", begun_by="--journal", resumed=resumed) as file:
        file.seek(0)
        return file.read()


def test_a_new_one_is_empty_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "state" / "tq" / "j"
    assert opened(path) == b""
    assert path.exists()


def test_what_stands_there_is_kept_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"one\n")
    with open_run_file(path, kind="journal", begun_by="--journal", resumed=True) as file:
        file.write(b"two\n")
    assert opened(path, resumed=True) == b"one\ntwo\n"


def test_none_to_resume_is_refused_with_the_option_that_begins_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"there is no journal .*/j; begin one with --journal .*/j"):
        opened(tmp_path / "j", resumed=True)
    assert not (tmp_path / "j").exists()


def test_one_that_another_run_writes_is_refused_until_that_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with (
        open_run_file(path, kind="journal", begun_by="--journal", resumed=False),
        pytest.raises(InvalidArgument, match=r"another process is writing the journal .*/j"),
    ):
        opened(path, resumed=True)
    assert opened(path, resumed=True) == b""


def test_one_that_cannot_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"cannot write the journal .*: Is a directory"):
        opened(tmp_path)
