"""``tq init``: the project it writes works and passes its own tests; nothing is ever overwritten."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tq
from tq.client.cli.init import FILES

from .programs import clean_environment, run_program


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=clean_environment(folder),
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def test_the_project_passes_its_own_tests(home: Path) -> None:
    done = run_program("tq", "init", "my project", home=home)
    assert done.returncode == 0, done.stderr
    assert "next   cd 'my project'\n         tq dev jobs.py\n" in done.stdout
    project = home / "my project"
    tests = run_python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert tests.returncode == 0, tests.stdout
    assert "3 passed" in tests.stdout
    written = {file.relative_to(project).as_posix() for file in project.rglob("*") if file.is_file()}
    assert {name for name in written if "__pycache__" not in name} == set(FILES)
    assert len((project / "README.md").read_text("utf-8").splitlines()) <= 20


def test_its_settings_are_those_of_the_package_with_its_own_module(home: Path) -> None:
    assert run_program("tq", "init", home=home).returncode == 0
    assert tomllib.loads((home / "configs" / "worker.toml").read_text("utf-8")) == {"modules": ["jobs.py"]}
    assert tomllib.loads((home / "configs" / "master.toml").read_text("utf-8")) == {}


@pytest.mark.parametrize("name", ["README.md", "compose.yaml"])
def test_a_file_that_is_there_is_named_and_nothing_is_written(home: Path, name: str) -> None:
    (home / name).write_text("mine", "utf-8")
    done = run_program("tq", "init", home=home)
    assert done.returncode == 2
    assert f"{name} exists, so nothing was written" in done.stderr
    assert os.listdir(home) == [name]
    assert (home / name).read_text("utf-8") == "mine"


def test_a_throwaway_cluster_says_what_is_wrong_with_the_code(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    (home / "broken_jobs.py").write_text("import tq\nimport nothing_of_this_name\n", "utf-8")
    app = tq.App()

    def one() -> int:
        return 1

    one.__module__, one.__qualname__ = "broken_jobs", "one"
    app.task(one)
    with pytest.raises(tq.TqError, match="No module named 'nothing_of_this_name'"), tq.throwaway_cluster(app):
        pytest.fail("it started")


def test_an_app_without_tasks_needs_no_cluster() -> None:
    with pytest.raises(tq.InvalidArgument, match="has no tasks"), tq.throwaway_cluster(tq.App()):
        pytest.fail("it started")


def test_pools_that_are_no_list_are_refused_before_anything_starts() -> None:
    wanted = re.escape("pools='async:5': write a list, pools=['async:5']")
    with pytest.raises(tq.InvalidArgument, match=wanted), tq.throwaway_cluster(tq.App(), pools="async:5"):
        pytest.fail("it started")


def test_an_app_talks_to_its_own_master_again_after_the_block() -> None:
    app = tq.App("tq://127.0.0.1:1", "a key")
    with app.redirected("tq://127.0.0.1:2", "another"):
        assert repr(app) == "<tq.App tq://127.0.0.1:2>"
    assert repr(app) == "<tq.App tq://127.0.0.1:1>"
