"""Tests side by side are run once each and shown as one process would show them, whatever they do to the process they run in."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from .cluster.programs import eventually

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 50
HEAD = """
import os, signal, sys, time
from pathlib import Path
import pytest

HERE = Path(__file__).parent

def note(name, text):
    with open(HERE / name, "a") as file:
        file.write(text + "\\n")
"""
ALL_KINDS = """
@pytest.fixture(scope="session", autouse=True)
def whole_run(tmp_path_factory):
    note("begun", str(tmp_path_factory.mktemp("x")))
    yield
    note("ended", str(os.getpid()))

@pytest.mark.alone
def test_alone():
    note("../order", "begins")
    time.sleep(0.1)
    note("../order", "ends")

@pytest.mark.parametrize("number", range(30))
def test_good(number):
    note("good", str(number))
    note("../order", "good")
    print("said by a good one")

def test_fails():
    print("said by the one that fails")
    assert [1, 2] == [1, 3]

@pytest.mark.skip(reason="for a reason")
def test_skipped():
    pass

def test_dies():
    os.kill(os.getpid(), signal.SIGKILL)

@pytest.mark.parametrize("number", range(5))
def test_after_a_death(number):
    note("after", str(number))
"""
WAITS = """
@pytest.fixture
def program():
    note("begun", "")
    yield
    note("ended", "")

def test_waits(program):
    time.sleep(40)
"""


def command(folder: Path, *options: object) -> list[str]:
    plugins = ["-p", "tests.side_by_side", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    return [
        sys.executable,
        "-m",
        "pytest",
        *plugins,
        "--processes",
        "2",
        "-ra",
        *map(str, options),
        str(folder),
    ]


def run(folder: Path, *options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTEST_ADDOPTS": ""}
    return subprocess.run(
        command(folder, *options), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS
    )


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_each_is_run_once_and_one_that_kills_its_process_has_failed(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"test_{name}.py").write_text(HEAD + ALL_KINDS)
    done = run(tmp_path)
    assert done.returncode == 1, done
    assert "4 failed, 72 passed, 2 skipped" in done.stdout, done
    assert "the process that ran it has ended by signal 9" in done.stdout
    assert re.search(r"FAILED .*a/test_a.py::test_dies", done.stdout)
    assert len(re.findall(r"^E +assert \[1, 2\] == \[1, 3\]$", done.stdout, re.MULTILINE)) == 2
    assert done.stdout.count("said by the one that fails") == 4  # its line, and what it printed
    assert "said by a good one" not in done.stdout
    assert "for a reason" in done.stdout
    for name in ("a", "b"):
        assert sorted(map(int, lines(tmp_path / name / "good"))) == list(range(30))
        assert lines(tmp_path / name / "after") == list("01234")
    assert lines(tmp_path / "order") == ["good"] * 60 + ["begins", "ends"] * 2
    begun = [line for name in ("a", "b") for line in lines(tmp_path / name / "begun")]
    assert len(begun) == len(set(begun)) >= 5  # each process has a directory of its own
    ended = [line for name in ("a", "b") for line in lines(tmp_path / name / "ended")]
    assert len(ended) == len(begun) - 2  # none by those that were killed


def test_what_is_under_way_is_ended_when_one_too_many_has_failed(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"test_{number}.py").write_text(HEAD + "def test_it(): assert not note('run', '')")
    (tmp_path / "test_0.py").write_text("def test_it(): assert False")
    done = run(tmp_path, "-x", "-q")
    assert done.returncode == 1, done
    assert "stopping after 1 failures" in done.stdout
    assert "1 failed" in done.stdout


def test_an_interrupt_ends_what_tests_have_started(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"test_{name}.py").write_text(HEAD + WAITS)
    pytest = subprocess.Popen(
        command(tmp_path), cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with pytest:
        eventually(lambda: len(lines(tmp_path / "begun")) == 2, SECONDS)
        os.killpg(pytest.pid, signal.SIGINT)  # as a terminal does it
        out, _ = pytest.communicate(timeout=SECONDS)
    assert pytest.returncode == 2, out
    assert len(lines(tmp_path / "ended")) == 2
