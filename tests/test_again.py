"""What runs failed tests once more tells an accident from a failure, and says which test it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

AGAIN = Path(__file__).with_name("again.py")
ONCE = """
import pathlib
def test_once():
    first = not pathlib.Path("ran").exists()
    pathlib.Path("ran").touch()
    assert not first
"""
FAILS = "def test_always(): assert False\n"


def run(home: Path, source: str) -> tuple[int, str]:
    """The status of what ``make suite`` does with a module of tests, and what it printed in the end."""
    (home / "test_it.py").write_text(source)
    (home / "pytest.ini").write_text("[pytest]\n")
    first = subprocess.run(
        [Path(sys.executable).with_name("pytest"), "-q"], cwd=home, capture_output=True, check=False
    )
    assert first.returncode == 1
    again = subprocess.run([sys.executable, AGAIN], cwd=home, capture_output=True, text=True, check=False)
    return again.returncode, again.stdout + again.stderr


def test_what_passes_alone_is_named_unsteady(tmp_path: Path) -> None:
    status, text = run(tmp_path, ONCE)
    assert status == 0
    assert "UNSTEADY: test_it.py::test_once failed beside other tests and passes alone" in text


def test_what_fails_again_has_failed(tmp_path: Path) -> None:
    status, text = run(tmp_path, ONCE + FAILS)
    assert status == 1
    assert "failed again, alone: at least one of test_it.py::test_always, test_it.py::test_once" in text


def test_many_failures_are_no_accident(tmp_path: Path) -> None:
    status, text = run(tmp_path, "".join(FAILS.replace("always", f"n{n}") for n in range(4)) + ONCE)
    assert status == 1
    assert "5 tests failed: too many" in text
    assert (tmp_path / "ran").exists()


def test_a_run_that_no_test_failed_in_is_not_made_good(tmp_path: Path) -> None:
    again = subprocess.run([sys.executable, AGAIN], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "pytest failed before its tests ran" in again.stderr


def test_a_file_that_cannot_be_read_is_not_made_good(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("import nothing_of_this_name\n")
    subprocess.run(
        [Path(sys.executable).with_name("pytest"), "-q"], cwd=tmp_path, capture_output=True, check=False
    )
    again = subprocess.run([sys.executable, AGAIN], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "pytest failed before its tests ran" in again.stderr


@pytest.mark.parametrize("line", ["suite: export TQ_TEST_INSTALLED = 1", "|| $(BIN)/python tests/again.py"])
def test_the_suite_does_it(line: str) -> None:
    assert line in (AGAIN.parents[1] / "Makefile").read_text("utf-8")
