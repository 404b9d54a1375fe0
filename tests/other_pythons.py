"""Runs the fast part of the suite on every other CPython from 3.11 on that this machine has.

One virtual environment per interpreter, kept in the cache directory; the package is installed there as a
wheel built once. Says which minor versions were not found; fails if a suite fails.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MINORS = (11, 12, 13, 14)  # of Python 3; what pyproject.toml promises
FAST = ("common", "master", "worker", "client", "tasks")  # no real programs, no building
NOT_FOR_TESTS = ("mypy", "ruff")
PROBE = "import ensurepip, sys; print(sys.implementation.name, *sys.version_info[:2], sys.version_info.releaselevel)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=ROOT / ".venv" / "other-pythons")
    parser.add_argument("--jobs", default="2", help="how many processes share the tests [2]")
    options = parser.parse_args()
    cache = options.cache.resolve()
    found = dict(other_interpreters())
    absent = [f"3.{minor}" for minor in MINORS if minor not in found and minor != sys.version_info.minor]
    if absent:
        say(f"not on this machine, so not tried: {', '.join(absent)}")
    failed = []
    with tempfile.TemporaryDirectory() as wheels:
        wheel = build_wheel(Path(wheels)) if found else Path()
        for minor, python in sorted(found.items()):
            say(f"Python 3.{minor}: {python}")
            if not passes(python, wheel, cache / f"3.{minor}", options.jobs):
                failed.append(f"3.{minor}")
    if failed:
        say(f"failed on {', '.join(failed)}")
    return 1 if failed else 0


def other_interpreters() -> Iterator[tuple[int, str]]:
    """The first working CPython of each other minor version, from PATH and from pyenv's shelf."""
    for minor in MINORS:
        if minor == sys.version_info.minor:
            continue
        for candidate in (f"python3.{minor}", *map(str, shelved(minor))):
            if probe(candidate) == minor:
                yield minor, candidate
                break


def shelved(minor: int) -> list[Path]:
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    versions = root.glob(f"versions/3.{minor}.*/bin/python")
    return sorted((path for path in versions if re.search(r"/3\.\d+\.\d+/", str(path))), reverse=True)


def probe(python: str) -> int | None:
    """The minor version of a released CPython that can make environments; None for anything else."""
    try:
        done = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match done.stdout.split():
        case ["cpython", "3", minor, "final"]:
            return int(minor)
    return None


def build_wheel(into: Path) -> Path:
    """Of a copy: a test of the suite, which runs beside us, may build in the tree."""
    copy = into / "tree"
    shutil.copytree(
        ROOT, copy, ignore=shutil.ignore_patterns(".*", "build", "site", "*.egg-info", "__pycache__")
    )
    source = ["-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([sys.executable, *source, "--wheel-dir", str(into), str(copy)], check=True)
    return next(into.glob("*.whl"))


def passes(python: str, wheel: Path, venv: Path, jobs: str) -> bool:
    inside = venv / "bin" / "python"
    if not inside.exists():
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
    pip = [str(inside), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, *test_requirements()], check=True)
    subprocess.run([*pip, str(wheel)], check=True)
    subprocess.run([*pip, "--force-reinstall", "--no-deps", str(wheel)], check=True)
    folders = [str(folder) for name in FAST if (folder := ROOT / "tests" / name).is_dir()]
    shared = ["--processes", jobs, "-m", "not thorough"]
    command = [str(venv / "bin" / "pytest"), "-q", "-p", "no:cacheprovider", *shared, *folders]
    environment = {**os.environ, "TQ_TEST_INSTALLED": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        sys.stdout.write(done.stdout)
    say(f"{venv.name}: {(done.stdout.splitlines() or ['nothing was said'])[-1]}")
    return done.returncode == 0


def test_requirements() -> list[str]:
    """What the tests themselves import: the dev extra less the tools that read source."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        dev: list[str] = tomllib.load(file)["project"]["optional-dependencies"]["dev"]
    return [one for one in dev if re.split(r"[<>=~!\[; ]", one)[0] not in NOT_FOR_TESTS]


def say(text: str) -> None:
    sys.stdout.write(f"other Pythons: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
