"""The installed distribution: everything that has to be in it, nothing else, and it is what the tests import."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest
import tq
from tq.common.version import VERSION

Distribution = importlib.metadata.Distribution
HELP_PAGE = "docs/errors.md"  # what `tq help` prints


@pytest.fixture
def packed(installed: Distribution) -> set[str]:
    """The files under the package's folder, as they were packed."""
    names = {file.as_posix() for file in installed.files or []}
    return {
        name.removeprefix("tq/") for name in names if name.startswith("tq/") and "__pycache__" not in name
    }


def test_the_tests_run_on_the_installed_package_not_on_the_tree(root: Path) -> None:
    if not os.environ.get("TQ_TEST_INSTALLED"):
        pytest.skip("run by hand; `make test` insists on it")
    assert tq.__file__ is not None
    home = Path(tq.__file__).resolve().parent
    assert home != root
    assert home.parent.name == "site-packages"


def test_every_source_and_data_file_is_packed(root: Path, sources: list[Path], packed: set[str]) -> None:
    wanted = {file.relative_to(root).as_posix() for file in sources} | {"py.typed", HELP_PAGE}
    wanted |= {file.relative_to(root).as_posix() for file in (root / "master").rglob("*.sql")}
    wanted |= {file.relative_to(root).as_posix() for file in (root / "configs").rglob("*") if file.is_file()}
    page = [*(root / "web/templates").rglob("*"), *(root / "web/static").rglob("*")]
    wanted |= {file.relative_to(root).as_posix() for file in page if file.is_file()}
    assert wanted - packed == set()


def test_nothing_of_the_workshop_is_packed(packed: set[str]) -> None:
    workshop = ("tests/", "benchmarks/", "docs/", ".", "build/")
    assert [name for name in packed - {HELP_PAGE} if name.startswith(workshop)] == []


def test_the_licence_goes_along(installed: Distribution) -> None:
    assert installed.metadata["License-Expression"] == "Apache-2.0"
    assert any(file.name == "LICENSE" for file in installed.files or [])


def test_the_version_is_the_one_in_the_source(installed: Distribution) -> None:
    assert installed.version == VERSION


def test_the_three_commands_can_be_loaded(installed: Distribution) -> None:
    commands = installed.entry_points.select(group="console_scripts")
    assert {command.name for command in commands} == {"tq", "tq-master", "tq-worker"}
    assert all(callable(command.load()) for command in commands)
