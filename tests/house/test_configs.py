"""The sample files list exactly the settings, with the defaults that the program has."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tq.common.errors import ConfigError
from tq.common.runtime.config import MasterSettings, WorkerSettings, load_settings
from tq.master.cli import main as tq_master
from tq.worker.cli import main as tq_worker

CONFIGS = Path(__file__).parents[2] / "configs"
KINDS = [("master.toml", MasterSettings), ("worker.toml", WorkerSettings)]
PROGRAMS = [(tq_master, MasterSettings), (tq_worker, WorkerSettings)]
SETTINGS_MAX = 45  # of both together: an operator has to understand each
# where the settings are, a secret, questions, and the half of a setting
NO_SETTINGS = {"config", "authkey", "version", "help", "results"}
NO_SETTINGS |= {"gateway", "gateway_authkey_file", "gateway_public"}  # one thing, off, opened by hand only
NO_SETTINGS |= {"new_store", "new_certificate"}  # said once, by hand, and never kept
NO_SETTINGS |= {"source", "target", "as_json"}  # of tq-master copy
SETTING = re.compile(r"^#(?=\w+ = |\[)", re.MULTILINE)
# Their default is of the machine, or is nothing: the file shows an example and says so in words.
WITHOUT_A_FIXED_DEFAULT = {
    "advertise",
    "web",
    "data",
    "slots",
    "modules",
    "authkey_file",
    "ca_file",
    "certificate_file",
    "client_ca_file",
    "expose",
    "store",
    "shards",
    "http",
    "autoscale",
    "labels",
    "resources",
    "task_log_dir",
    "apply",
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


@pytest.mark.parametrize(("program", "kind"), PROGRAMS)
def test_every_setting_is_an_option_of_its_name_and_every_option_a_setting(program: Any, kind: Any) -> None:
    names = {one.name for one in dataclasses.fields(kind)}
    options = {one.name: one for one in program.params if one.name not in NO_SETTINGS}
    assert set(options) == names
    for name, option in options.items():
        if option.param_type_name == "option":
            spelt = name.replace("_", "-")
            # Given once for each
            singular = f"--{spelt.removesuffix('s')}" if option.multiple else f"--{spelt}"
            assert option.opts in ([f"--{spelt}"], [singular])


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_every_setting_is_a_variable_of_its_name(name: str, kind: Any) -> None:
    addresses = dict.fromkeys(("advertise", "bind", "connect", "gateway", "http", "web"), "127.0.0.1:1")
    values = {
        **addresses,
        "slots": "7",
        "expose": "a=b:c",
        "labels": "a=b",
        "resources": "a=1",
        "durability": "os",
    }
    words = {
        "max_memory_per_child": "1GiB",
        "results_bytes_max": "1GiB",
        "log_format": "json",
        "allow_shell": "true",
        "allow_http": "true",
        "pools": "async:5",
        "store": "postgresql://tq@db/tasks",
        "autoscale": "2,8",
        "watch": "true",
        "http_private": "true",
        "apply": "m:f > done",
        "log_level": "debug",
        "frame_bytes_max": "20000000",
    }
    for one in dataclasses.fields(kind):
        given = {**values, **words}.get(one.name, "12")
        settings = load_settings(
            kind,
            None,
            {f"TQ_{one.name.upper()}": given, "TQ_LEASE_SECONDS": "60", "TQ_ALLOW_HTTP": "true"},
            {},
        )
        assert getattr(settings, one.name) != getattr(kind(), one.name), one.name


def test_there_are_not_too_many_settings() -> None:
    names = {one.name for _, kind in KINDS for one in dataclasses.fields(kind)}
    assert len(names) <= SETTINGS_MAX


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_mistyped_key_is_answered_with_the_nearest(name: str, kind: Any, tmp_path: Path) -> None:
    for one in dataclasses.fields(kind):
        file = tmp_path / name
        file.write_text(f"{one.name}x = 1\n", "utf-8")
        with pytest.raises(ConfigError, match=f"unknown key '{one.name}x'; did you mean {one.name}\\?"):
            load_settings(kind, file, {}, {})
