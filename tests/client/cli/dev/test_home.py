"""The state directory of `tq dev`: links and files of other users are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tq.client.cli.dev.home import StateDirectory
from tq.common.errors import ConfigError


def test_its_directory_is_its_users_alone_and_names_its_address_while_it_lives(tmp_path: Path) -> None:
    with StateDirectory(tmp_path) as home:
        home.announce("tq://127.0.0.1:1")
        assert home.folder.stat().st_mode & 0o777 == 0o700
        assert "tq://127.0.0.1:1" in (home.folder / "live").read_text()
    with StateDirectory(tmp_path):  # and again in what the last one left
        assert (tmp_path / ".tq" / "live").read_text() == ""


def test_a_link_in_the_place_of_the_directory_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (tmp_path / ".tq").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match=r"\.tq is a link, or belongs to another user"):
        StateDirectory(tmp_path).__enter__()
    assert elsewhere.stat().st_mode & 0o777 == 0o755
    assert list(elsewhere.iterdir()) == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_or_a_pipe_in_the_place_of_the_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    precious, live = tmp_path / "precious", tmp_path / ".tq" / "live"
    precious.write_text("not to be lost")
    live.parent.mkdir(mode=0o700)
    if kind == "link":
        live.symlink_to(precious)
    else:
        os.mkfifo(live)
    with pytest.raises(ConfigError, match=f"{live} is not a regular file; remove it: rm {live}"):
        StateDirectory(tmp_path).__enter__()
    assert precious.read_text() == "not to be lost"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_a_directory_of_another_user_is_not_used(tmp_path: Path) -> None:
    (tmp_path / ".tq").mkdir()
    os.chown(tmp_path / ".tq", 12_345, -1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        StateDirectory(tmp_path).__enter__()
