"""What is loaded by ``import tq`` and by the commands' help. Counted, not timed: no machine is too slow for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = {
    "asyncio",
    "click",
    "concurrent.futures.process",
    "cryptography",
    "hypothesis",
    "multiprocessing",
    "numpy",
    "platformdirs",
    "psutil",
    "rich",
    "setproctitle",
    "sqlite3",
    "ssl",
    "uvloop",
}
# Python itself loads about 60 modules at its start; this many more is about the price of dataclasses and
# typing. A jump past it means that something large came along.
MODULES_MAX = 120


def loaded_by(*arguments: str) -> list[str]:
    """The modules imported by a fresh interpreter, in order, site and start-up left out."""
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, check=True, timeout=50
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines[1:]]


@pytest.fixture(scope="module")
def bare() -> set[str]:
    return set(loaded_by("-c", "pass"))


@pytest.fixture(scope="module")
def with_tq(bare: set[str]) -> set[str]:
    return set(loaded_by("-c", "import tq")) - bare


def test_importing_tq_loads_no_heavy_library(with_tq: set[str]) -> None:
    assert with_tq & HEAVY == set()


def test_importing_tq_loads_no_server_code(with_tq: set[str]) -> None:
    assert not [name for name in with_tq if name.startswith(("tq.master", "tq.worker", "tq.tasks"))]


def test_importing_tq_stays_small(with_tq: set[str]) -> None:
    assert len(with_tq) <= MODULES_MAX, sorted(with_tq)


def test_the_help_of_tq_needs_neither_network_nor_tables(bare: set[str]) -> None:
    program = "import sys; from tq.client.cli import main; sys.argv = ['tq', '--help']; main()"
    loaded = set(loaded_by("-c", program)) - bare
    assert loaded & (HEAVY - {"click"}) == set()


# What few starts use is loaded when it is used: a program is started for each command, and a child after each that was killed.
@pytest.mark.parametrize(
    ("module", "unused"),
    [
        ("tq.worker.child.loop", {"asyncio", "click", "ssl", "tomllib", "tq.common.runtime.config"}),
        ("tq.worker.cli", {"cryptography", "difflib", "rich", "sqlite3", "tomllib"}),
        (
            "tq.master.cli",
            {"cryptography", "difflib", "rich", "statistics", "tomllib", "tq.master.gateway.server"},
        ),
        ("tq.client.cli.queues", {"asyncio", "difflib", "rich", "ssl"}),
    ],
)
def test_a_program_starts_without_what_it_may_never_use(
    module: str, unused: set[str], bare: set[str]
) -> None:
    assert (set(loaded_by("-c", f"import {module}")) - bare) & unused == set()
