"""The sample files list exactly the settings, with the defaults that the program has."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tq.common.config import MasterSettings, WorkerSettings, load_settings

CONFIGS = Path(__file__).parents[2] / "configs"
KINDS = [("master.toml", MasterSettings), ("worker.toml", WorkerSettings)]
SETTING = re.compile(r"^#(?=\w+ = |\[)", re.MULTILINE)
# Their default is of the machine, or is nothing: the file shows an example and says so in words.
WITHOUT_A_FIXED_DEFAULT = {
    "data",
    "slots",
    "modules",
    "authkey_file",
    "ca_file",
    "certificate_file",
    "client_ca_file",
    "expose",
    "http",
    "labels",
}


def uncommented(name: str) -> str:
    return SETTING.sub("", (CONFIGS / name).read_text("utf-8"))


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_the_file_as_shipped_changes_nothing(name: str, kind: Any) -> None:
    assert load_settings(kind, CONFIGS / name, {}, {}) == kind()


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_the_file_lists_exactly_the_settings(name: str, kind: Any) -> None:
    assert set(tomllib.loads(uncommented(name))) == {one.name for one in dataclasses.fields(kind)}


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_every_listed_value_is_the_default(name: str, kind: Any, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(uncommented(name), "utf-8")
    settings = load_settings(kind, file, {}, {})
    for one in dataclasses.fields(kind):
        if one.name not in WITHOUT_A_FIXED_DEFAULT:
            assert getattr(settings, one.name) == getattr(kind(), one.name), one.name


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_every_setting_is_explained_above_it(name: str, kind: Any) -> None:
    for block in (CONFIGS / name).read_text("utf-8").split("\n\n")[1:]:
        explained = [line for line in block.splitlines() if line.startswith("# ")]
        listed = [line for line in block.splitlines() if SETTING.match(line)]
        assert explained, block
        assert len(listed) == 1 or listed[0].startswith("#["), block


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_default_that_is_not_a_value_is_said_in_words(name: str, kind: Any) -> None:
    for block in (CONFIGS / name).read_text("utf-8").split("\n\n"):
        listed = re.findall(r"^#\[?(\w+)(?: = |\])", block, re.MULTILINE)
        if WITHOUT_A_FIXED_DEFAULT.intersection(listed):
            assert "Default: " in block
