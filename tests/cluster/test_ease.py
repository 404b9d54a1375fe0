"""From an empty directory to a first result, as the README says it: counted, and timed on the built wheel.

The wheel goes into a fresh environment, which borrows what tq depends on from the one that runs the tests: what
is measured is tq, not the network.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

from .programs import clean_environment, eventually

ROOT = Path(__file__).parents[2]
COMMANDS_MAX, LINES_MAX = 3, 20
WORKSHOP = shutil.ignore_patterns(".*", "build", "*.egg-info", "tests", "benchmarks", "__pycache__")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is shipped, built from a copy, so that nothing of an earlier build is packed."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "source", ignore=WORKSHOP)
    command = [*PIP, "wheel", "--no-deps", "--wheel-dir", folder, folder / "source"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if "Could not find a version that satisfies the requirement setuptools" in done.stderr:
        pytest.skip("no package index can be reached, and a wheel needs setuptools")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """An empty environment; its ``bin``."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True, with_pip=False)
    return folder / "bin"


def borrow_dependencies(fresh: Path) -> None:
    """After tq is installed: pip would take the borrowed tq for an installed one."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = fresh.parent / "lib" / version / "site-packages"
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")


def readme(pattern: str) -> str:
    found = re.search(pattern, (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert found, pattern
    return found[1]


def imported_by(python: Path, home: Path) -> str:
    """Where `import tq` finds it."""
    command = [python, "-c", "import tq; print(tq.__file__)"]
    return subprocess.run(command, cwd=home, capture_output=True, text=True, check=True).stdout


@pytest.mark.timeout(300)  # the wheel is built and installed for it
def test_three_commands_and_twenty_lines_lead_from_nothing_to_a_result(
    wheel: Path, fresh: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    minutes = readme(r"\n## Sixty seconds\n(.*?)\n## ")
    code = readme(r"<!-- file: jobs\.py -->\n```python\n(.*?)```")
    commands = ["pip install tq", *re.findall(r"^\$ ((?:tq dev|python) .*)$", minutes, re.MULTILINE)]
    assert commands == ["pip install tq", "tq dev jobs.py", "python jobs.py"]
    assert len(commands) <= COMMANDS_MAX
    assert len(code.splitlines()) <= LINES_MAX
    printed = readme(r"\$ python jobs\.py\n(.*?)```")

    began = time.monotonic()
    install = [*PIP, "--python", str(fresh / "python"), "install", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True)
    installed = time.monotonic()
    borrow_dependencies(fresh)
    assert str(fresh.parent) in imported_by(fresh / "python", home)
    (home / "jobs.py").write_text(code, "utf-8")
    environment = clean_environment(home)
    shown = home / "shown"
    with (
        shown.open("wb") as out,
        subprocess.Popen(
            [fresh / "tq", "dev", "jobs.py"], cwd=home, env=environment, stdout=out, stderr=out
        ) as dev,
    ):
        try:
            eventually(lambda: "next    python jobs.py" in shown.read_text("utf-8") or dev.poll(), 30)
            started = time.monotonic()
            done = subprocess.run(
                [fresh / "python", "jobs.py"],
                cwd=home,
                env=environment,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            ended = time.monotonic()
        finally:
            dev.terminate()
            dev.wait(20)
    assert (done.stdout, done.returncode) == (printed, 0), done.stderr + shown.read_text("utf-8")
    with capsys.disabled():
        seconds = [
            after - before for before, after in ((began, installed), (installed, started), (started, ended))
        ]
        sys.stdout.write(
            f"\nfrom nothing to a result: {len(commands)} commands, {len(code.splitlines())} lines, "
            f"{ended - began:.1f} s (install {seconds[0]:.1f}, tq dev {seconds[1]:.1f}, program {seconds[2]:.1f})\n"
        )
