"""The tree: what is packed, how large files are, what must not stand in them."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from .syntax import nodes, parsed

LINES_MAX = 450
TEST_LINES_MAX = 600  # a table of cases is read differently
PRINTS_ALLOWED = ("client/cli", "tests", "benchmarks", "examples")
# The one place of the suite that waits by the clock, and the functions whose work is to take time.
SLEEPS_ALLOWED = (
    "tests/cluster/programs.py",
    "tests/cluster/cluster_tasks.py",
    "tests/cluster/plain_functions.py",
    "tests/cluster/holding_tasks.py",
    "tests/docs/pictures.py",  # no test: a command that runs a shop for a quarter of an hour
    "tests/docs/shop.py",
)
MACHINE_PATH = re.compile(r"(?<![\w.~$}])(/home/|/Users/|/root/)\w|\b[A-Z]:\\\\?Users")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def shown(files: list[Path], root: Path) -> list[str]:
    return [str(file.relative_to(root)) for file in files]


@pytest.fixture(scope="session")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


def test_packages_lists_every_folder_with_an_init(
    root: Path, sources: list[Path], project: dict[str, Any]
) -> None:
    folders = {file.parent.relative_to(root).parts for file in sources if file.name == "__init__.py"}
    listed = project["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(".".join(("tq", *parts)) for parts in folders)


def test_no_source_stands_in_a_folder_that_is_not_packed(sources: list[Path]) -> None:
    assert [file for file in sources if not (file.parent / "__init__.py").exists()] == []


def test_no_file_is_longer_than_a_person_reads_at_once(root: Path, files: list[Path]) -> None:
    long = []
    for file in (file for file in files if file.suffix in (".py", ".sql")):
        lines = len(file.read_text("utf-8").splitlines())
        if lines > (TEST_LINES_MAX if file.is_relative_to(root / "tests") else LINES_MAX):
            long.append(f"{file.relative_to(root)}: {lines} lines")
    assert not long


def test_every_file_of_the_package_says_what_it_is(root: Path, sources: list[Path]) -> None:
    silent = [file for file in sources if not ast.get_docstring(parsed(file.read_text("utf-8")))]
    assert not shown(silent, root)


def test_nothing_prints_that_is_not_a_command(root: Path, sources: list[Path]) -> None:
    def prints(file: Path) -> bool:
        found = nodes(parsed(file.read_text("utf-8")))
        return any(
            isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print" for n in found
        )

    stray = shown([file for file in sources if prints(file)], root)
    assert [name for name in stray if not name.startswith(PRINTS_ALLOWED)] == []


def test_nothing_draws_from_the_random_numbers_of_the_program_it_runs_in(
    root: Path, sources: list[Path]
) -> None:
    """A thread of ours that did would change what a program gets for its seed, from run to run."""

    def draws(file: Path) -> bool:
        found = nodes(parsed(file.read_text("utf-8")))
        drawn = {
            node.attr
            for node in found
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "random"
        }
        named = {
            alias.name
            for node in found
            if isinstance(node, ast.ImportFrom) and node.module == "random"
            for alias in node.names
        }
        imported = any(
            alias.name == "random" for node in found if isinstance(node, ast.Import) for alias in node.names
        )
        return bool((named | (drawn if imported else set())) - {"Random", "SystemRandom"})

    assert shown([file for file in sources if draws(file)], root) == []


def test_no_test_sleeps(root: Path, files: list[Path]) -> None:
    """``sleep(0)`` gives way and is no wait."""

    def sleeps(file: Path) -> bool:
        calls = [node for node in nodes(parsed(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
        sleeping = [call for call in calls if ast.unparse(call.func).split(".")[-1] == "sleep"]
        return any([ast.unparse(argument) for argument in call.args] != ["0"] for call in sleeping)

    tests = [file for file in files if file.suffix == ".py" and file.is_relative_to(root / "tests")]
    found = shown([file for file in tests if sleeps(file)], root)
    assert [name for name in found if name not in SLEEPS_ALLOWED] == []


def test_no_path_of_one_machine_is_written_down(root: Path, files: list[Path]) -> None:
    own = [f"{root}/"] if len(root.parts) > 2 else []
    found = []
    for file in files:
        text = file.read_text("utf-8")
        match = MACHINE_PATH.search(text)
        if file != Path(__file__) and (match or any(path in text for path in own)):
            found.append(f"{file.relative_to(root)}: {match.group() if match else root}")
    assert not found


def test_nothing_is_left_for_later(root: Path, files: list[Path]) -> None:
    left = [f for f in files if f != Path(__file__) and UNFINISHED.search(f.read_text("utf-8"))]
    assert not shown(left, root)


def test_every_test_has_a_time_limit(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.hasplugin("timeout")
    assert 0 < float(pytestconfig.getini("timeout")) <= 60


def test_no_test_takes_its_time_limit_away(root: Path, files: list[Path]) -> None:
    endless = re.compile(r"mark\.timeout\(\s*(0|None|timeout\s*=\s*(0|None))\s*[,)]")
    tests = [file for file in files if file.name.startswith("test_")]
    assert not shown([file for file in tests if endless.search(file.read_text("utf-8"))], root)


def test_the_documentation_has_no_dead_relative_link(root: Path, files: list[Path]) -> None:
    dead = []
    for file in (file for file in files if file.suffix == ".md"):
        for link in LINK.findall(without_code(file.read_text("utf-8"))):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            if not target.exists() or (anchor and anchor not in anchors(target)):
                dead.append(f"{file.relative_to(root)}: {link}")
    assert not dead


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def anchors(file: Path) -> set[str]:
    """The anchors a forge makes of headings: lower case, no punctuation, blanks as hyphens."""
    headings = re.findall(r"^#+ +(.+?) *$", file.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
