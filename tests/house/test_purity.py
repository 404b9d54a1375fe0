"""What says that it is pure touches nothing outside: no loop, socket, file, clock, log or chance. All of that is handed in."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from .syntax import nodes, parsed

OUTSIDE: Final = {
    *("asyncio", "selectors", "socket", "ssl", "select"),
    *("os", "io", "shutil", "tempfile", "subprocess", "signal", "sqlite3"),
    *("threading", "multiprocessing", "concurrent", "queue"),
    *("time", "random", "secrets", "logging"),
}
CLAIM: Final = re.compile(r"\bPure\b(?! but for)")
# What a module that claims it imports all the same, and why that leaves it pure.
ALLOWED: Final[dict[str, dict[str, str]]] = {
    "client/cli/mail/table.py": {"io": "a text in memory, as csv reads it"},
    "client/cli/map/template.py": {"os": "paths taken apart as text, and text as bytes of a command line"},
    "common/wire/handshake.py": {"os": "the default of an argument: where random bytes come from"},
    "worker/agent/jobs.py": {"signal": "the names of signals"},
}


def outside(text: str) -> set[str]:
    """Modules of the outside that a source imports to run, wherever it does."""
    tree = parsed(text)
    typing = {
        inner
        for node in nodes(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in nodes(tree):
        if node in typing:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.split(".")[0])
    return found & OUTSIDE


def claims(text: str) -> bool:
    return bool(CLAIM.search(ast.get_docstring(parsed(text)) or ""))


@pytest.fixture(scope="module")
def pure(root: Path, sources: list[Path]) -> dict[str, str]:
    texts = {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in sources}
    return {name: text for name, text in texts.items() if claims(text)}


def test_what_claims_to_be_pure_imports_nothing_of_the_outside(pure: dict[str, str]) -> None:
    found = {name: outside(text) - ALLOWED.get(name, {}).keys() for name, text in pure.items()}
    assert {name: modules for name, modules in found.items() if modules} == {}
    assert len(pure) > 40


def test_no_exception_is_listed_that_is_not_needed(pure: dict[str, str]) -> None:
    needed = {name: outside(text) for name, text in pure.items()}
    assert {name: set(modules) - needed.get(name, set()) for name, modules in ALLOWED.items()} == {
        name: set() for name in ALLOWED
    }


def test_a_claim_that_does_not_hold_would_be_found() -> None:
    text = '"""Turns. Pure."""\nimport heapq\ndef f():\n    from time import monotonic\n'
    assert claims(text)
    assert outside(text) == {"time"}
    assert not claims('"""Turns. Pure but for the clock."""')
    assert outside("if TYPE_CHECKING:\n    import asyncio\n") == set()
